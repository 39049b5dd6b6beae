"""`show --cell … --less …`: one cell of a table less another, and how sure that is."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penumbra.evaluation.intervals import Sample, interval
from penumbra.evaluation.resampling import draws_of
from penumbra.reporting.tables import differences, values
from penumbra.reporting.tables.printed import Printed
from penumbra.reporting.tables.stored import Cell
from penumbra.reporting.tables.values import evaluate
from penumbra.stages.tables import SCHEMA
from penumbra.store import seals
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import matrix
from tests.reporting.test_tables import metrics_of

SEEDS = [0, 1, 2]
FPR95 = {"MSP": (0.5, 0.55, 0.6), "KNN": (0.3, 0.36, 0.42)}


def planned():
    """FPR95, AUROC and test accuracy of two scorers under three seeds; one row is not computed."""
    cells = []
    for i, row in enumerate([*FPR95, "DHM"]):
        files = [f"results/w/metrics/{row}-{seed}.parquet" for seed in SEEDS if row in FPR95]
        for column, metric in enumerate(("fpr95", "auroc", "test_accuracy")):
            read = [name.replace("metrics/", "accuracy/") for name in files]
            cells.append({
                "row": i, "row_label": row, "column": column, "column_label": "", "metric": metric,
                "scorer": "s", "sets": ["faces"], "files": read if column == 2 else files,
                "missing": None if files else "no code",
                "reported": None, "outliers": None, "backbone": "r",
            })  # fmt: skip
    return cells


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values._rows.cache_clear()
    values._drawn.cache_clear()
    for name in ("metrics", "accuracy", "tables"):
        (tmp_path / "results/w" / name).mkdir(parents=True)
    for row, fprs in FPR95.items():
        for seed, fpr in enumerate(fprs):
            file = tmp_path / f"results/w/metrics/{row}-{seed}.parquet"
            metrics_of(file, [{"scorer": "s", "image_set": "faces", "fpr95": fpr, "auroc": 0.75}])
            share = {"role": ["test"], "accuracy": [0.9 + seed / 100], "n": [100]}
            write_parquet(tmp_path / f"results/w/accuracy/{file.name}", pa.table(share), {})
    written = list(tmp_path.rglob("*.parquet"))
    config = {"title": "A title", "cells": planned(), "seeds": SEEDS, "confidence": 0.95}
    rows = evaluate(planned(), Printed([]), 0.95)
    meta = {"title": "A title", "notes": json.dumps(["World w."])}
    file = tmp_path / "results/w/tables/uat_table09.parquet"
    made = {
        "rule": "tables", "wildcards": {"table": "uat_table09"}, "config": config, "code": {},
        "inputs": {str(p.relative_to(tmp_path)): seals.sealed(p) for p in written},
    }  # fmt: skip
    write_parquet(file, pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(meta)), made)
    return file


def draws(row):
    files = [draws_of(Path(f"results/w/metrics/{row}-{seed}.parquet")) for seed in SEEDS]
    return np.array([matrix(read_parquet(file)["fpr95"])[0] for file in files])


def test_the_difference_is_paired_by_seed_and_draw(table, shown):
    text = shown(table, "--cell", "KNN", "fpr95", "--less", "MSP", "fpr95")
    assert "cell       36.00  KNN, FPR95 ↓\nless       55.00  MSP, FPR95 ↓\n" in text
    assert "difference -19.00 points\n" in text
    for seed, less in enumerate(("20.00", "19.00", "18.00")):
        assert f"seed {seed}     -{less}\n" in f"{text}\n"
    paired = np.subtract(FPR95["KNN"], FPR95["MSP"])
    low, high = interval(Sample(paired, draws("KNN") - draws("MSP"))).bounds(0.95)
    told = re.search(r"interval   (\S+) to (\S+)  at 95 %, over test images and 3 seeds", text)
    assert [float(end) for end in told.groups()] == pytest.approx([100 * low, 100 * high], abs=0.01)
    # Seeds move both rows by ten points; what they share cancels.
    assert high - low < 0.06
    assert float(re.search(r"p-value    (\S+)", text)[1]) < 0.001


def test_the_other_way_round_has_the_other_sign(table, shown):
    text = shown(table, "--cell", "MSP", "1", "--less", "KNN", "1")
    assert "difference +19.00 points" in text
    assert re.search(r"interval   \+1[67]\.\d+ to \+2[01]\.\d+ ", text)


def test_what_nothing_varies_has_no_interval(table, shown):
    text = shown(table, "--cell", "KNN", "test_accuracy", "--less", "MSP", "test_accuracy")
    assert "difference +0.00 points\ninterval   none: neither seeds" in text
    assert "p-value" not in text


@pytest.mark.parametrize(
    ("cell", "less", "told"),
    [
        (("KNN", "fpr95"), ("MSP", "auroc"), "is of fpr95, MSP, AUROC ↑ of auroc; a difference"),
        (("DHM", "fpr95"), ("MSP", "fpr95"), "DHM, FPR95 ↓ is not computed: no code"),
        (("KNN", "fpr95"), ("MSQ", "fpr95"), "unknown row 'MSQ'; did you mean 'MSP'"),
    ],
)
def test_what_has_no_difference_is_refused(table, shown, cell, less, told):
    assert told in shown(table, "--cell", *cell, "--less", *less, status=1)


def test_less_alone_asks_of_what(table, shown):
    assert "Give --cell ROW COLUMN, too" in shown(table, "--less", "MSP", "1", status=1)


@pytest.mark.parametrize("name", ["KNN-1.parquet", "draws/KNN-1.parquet"])
def test_files_that_are_gone_are_named(table, shown, name):
    (table.parents[1] / "metrics" / name).unlink()
    told = shown(table, "--cell", "KNN", "1", "--less", "MSP", "1", status=1)
    assert f"is gone: results/w/metrics/{name}; remake it: snakemake --force" in told


@pytest.mark.parametrize("name", ["KNN-1.parquet", "draws/KNN-1.parquet"])
def test_files_made_anew_since_are_refused(table, shown, name):
    metrics = table.parents[1] / "metrics"
    shutil.copy(metrics / name.replace("1", "2"), metrics / name)
    told = shown(table, "--cell", "KNN", "1", "--less", "MSP", "1", status=1)
    assert "was made from results/w/metrics/" in told
    assert "do not belong together" in told


@pytest.mark.parametrize("name", ["KNN-1.parquet", "draws/KNN-1.parquet"])
def test_damaged_files_are_refused(table, shown, name):
    file = table.parents[1] / "metrics" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 4] ^= 1
    file.write_bytes(data)
    told = shown(table, "--cell", "KNN", "1", "--less", "MSP", "1", status=1)
    assert f"error: results/w/metrics/{name}: damaged, or not of this project" in told


def test_a_copied_table_is_refused(table, shown, tmp_path):
    copy = shutil.copy(table, tmp_path / "copy.parquet")
    told = shown(copy, "--cell", "KNN", "1", "--less", "MSP", "1", status=1)
    assert "is not what its path says" in told
    assert "it is a copy: name the file in its place, results/w/tables/uat_table09.parquet" in told


def cell_of(metric, files):
    return Cell({"metric": metric}, {"files": files}, 0, 0, "")


def test_an_interval_of_shares_ends_where_shares_do():
    wide = Sample(np.array([-0.6, 0.2]), np.zeros((2, 100)))
    config = {"seeds": [0, 1], "confidence": 0.95}
    text = "\n".join(differences.told(wide, cell_of("fpr95", ["a", "b"]), config))
    assert "interval   -100.00 to +100.00  at 95 %" in text
    ratio = "\n".join(differences.told(wide, cell_of("norm_ratio", ["a", "b"]), config))
    assert "difference -0.2" in ratio
    assert "points" not in ratio
    assert "-100" not in ratio


def test_one_value_from_many_jobs_is_of_no_seed():
    seconds = Sample(np.array([-1.5]), np.full((1, 100), -1.5))
    config = {"seeds": [0, 1], "confidence": 0.95}
    lines = differences.told(seconds, cell_of("synthesis_seconds", ["a", "b", "c"]), config)
    assert len(lines) == 2
    assert "seed" not in lines[0]
    lines = differences.told(seconds, cell_of("latency", ["a"]), config)
    assert lines[-1].startswith("seed 0 ")
