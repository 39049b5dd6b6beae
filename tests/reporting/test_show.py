"""`show`: a table in short, one cell of it, and what made any artifact."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from penumbra.reporting.tables.printed import Printed
from penumbra.reporting.tables.values import evaluate
from penumbra.stages.tables import SCHEMA
from penumbra.store.artifacts import write_parquet
from tests.reporting.test_tables import metrics_of

CODE = {"digest": "c" * 16, "modules": {"penumbra.x": "d" * 64}, "packages": {"numpy": "2"}}
MADE = {"rule": "metrics", "wildcards": {"seed": "0"}, "config": {"k": 50}, "code": CODE}
MADE |= {"inputs": {"results/w/scores/a.parquet": "e" * 64}, "python": "3.11"}
ROWS = {"MSP": (0.5, 0.75), "KNN": (1.0, 0.5), "2": (0.25, 0.875)}


def planned(folder):
    """Cells of FPR95 and AUROC of one image set under two seeds; one row is not computed."""
    cells = []
    for i, (row, (fpr, auroc)) in enumerate([*ROWS.items(), ("DHM", (0, 0))]):
        files = []
        for seed in (0, 4) if row in ROWS else ():
            found = [{"scorer": "s", "image_set": "faces", "fpr95": fpr, "auroc": auroc}]
            files.append(str(folder / f"{row}-{seed}.parquet"))
            metrics_of(Path(files[-1]), found)
        cells += [
            {
                "row": i, "row_label": row, "column": 0, "column_label": "Faces", "metric": metric,
                "scorer": "s", "sets": ["faces"],
                "files": files, "missing": None if files else "no code",
                "reported": None, "outliers": None, "backbone": "r",
            }
            for metric in ("fpr95", "auroc")
        ]  # fmt: skip
    return cells


@pytest.fixture
def table(tmp_path):
    cells = planned(tmp_path)
    config = {
        "title": "uat, Table 9. Nine",
        "cells": cells,
        "seeds": [0, 4],
        "confidence": 0.95,
        "notes": [],
    }
    inputs = {f"results/w/metrics/{i}.parquet": "f" * 64 for i in range(9)}
    made = {**MADE, "rule": "tables", "wildcards": {"table": "uat_table09"}}
    meta = {"title": config["title"], "notes": json.dumps(["World w."])}
    rows = pa.Table.from_pylist(
        evaluate(cells, Printed([]), 0.95), schema=SCHEMA.with_metadata(meta)
    )
    file = tmp_path / "uat_table09.parquet"
    write_parquet(file, rows, {**made, "config": config, "inputs": inputs})
    return file


def test_a_table_is_shown_in_short(table, shown):
    text = shown(table)
    assert text.startswith("**uat, Table 9. Nine**\n\nWorld w.")
    assert "| MSP | <u>50.00</u> ± 0.00 |" in text
    for part in ("rule tables: table uat_table09", "seeds      0, 4", "9 files", CODE["digest"]):
        assert part in text
    assert "penumbra.x" not in text
    assert "results/w/metrics" not in text
    assert len(text.splitlines()) < 25


def test_all_shows_config_inputs_and_modules(table, shown):
    text = shown("--all", table)
    for part in ('"cells"', "results/w/metrics/8.parquet", "penumbra.x", "**uat, Table 9. Nine**"):
        assert part in text


@pytest.mark.parametrize(
    ("row", "column"), [("1", "2"), ("msp", "Faces AUROC ↑"), ("MSP", "faces auroc")]
)
def test_one_cell_by_number_or_label(table, shown, row, column):
    text = shown(table, "--cell", row, column)
    for part in ("row        1  MSP", "column     2  Faces AUROC ↑", "metric     auroc"):
        assert part in text
    assert "mean       75.00  (0.75)\ndeviation  0.00  over 2 seeds" in text
    for seed in (0, 4):
        assert f"seed {seed}     75.00  (0.75)  {table.parent}/MSP-{seed}.parquet" in text
    assert "conformal  55.00 to 95.00  at 95 %, over ID test images alone" in text
    assert "equal" not in text


def test_a_label_that_is_a_number_is_a_label(table, shown):
    assert "row        3  2" in shown(table, "--cell", "2", "1")


def test_a_cell_says_why_it_tells_nothing(table, shown):
    assert "all scores are equal in 100%" in shown(table, "--cell", "KNN", "1")
    assert "not computed: no code" in shown(table, "--cell", "DHM", "1")


@pytest.mark.parametrize(
    ("row", "column", "told"),
    [
        ("MSQ", "1", "unknown row 'MSQ'; did you mean 'MSP'"),
        ("1", "Face", "unknown column 'Face'; did you mean 'Faces"),
        ("5", "1", "has 4 rows, and no number 5"),
        ("1", "0", "has 2 columns, and no number 0"),
    ],
)
def test_an_unknown_cell_names_the_nearest(table, shown, row, column, told):
    assert told in shown(table, "--cell", row, column, status=1)


def test_other_artifacts_are_shown_without_modules(tmp_path, shown):
    file = tmp_path / "m.parquet"
    write_parquet(file, pa.table({"fpr95": [0.1]}), MADE)
    text = shown(file)
    for part in ("rule metrics: seed 0", '"k": 50', "results/w/scores/a.parquet"):
        assert part in text
    assert "penumbra.x" not in text
    assert "commit" not in text
    assert "penumbra.x" in shown("--all", file)
    assert "is no table" in shown("--reported", file, status=1)
    assert "is no table" in shown(file, "--cell", "1", "1", status=1)


def test_the_commit_of_the_run_record_is_shown(tmp_path, shown):
    file = tmp_path / "m.parquet"
    write_parquet(file, pa.table({"fpr95": [0.1]}), MADE)
    record = {"commit": "a1b2c3", "host": "node7"}
    (tmp_path / "m.parquet.run.json").write_text(json.dumps(record))
    text = shown(file)
    assert "commit     a1b2c3\nthis run   host node7\n" in text


def test_a_table_of_an_older_version_says_so(table, shown, tmp_path):
    from penumbra.store.artifacts import provenance_of, read_parquet

    old = read_parquet(table).drop_columns("equal")
    meta = {key: old.schema.metadata[key] for key in (b"title", b"notes")}
    file = tmp_path / "old.parquet"
    write_parquet(file, old.replace_schema_metadata(meta), provenance_of(table))
    assert "Written by an older version" in shown(file)
    assert "mean       75.00" in shown(file, "--cell", "MSP", "2")
