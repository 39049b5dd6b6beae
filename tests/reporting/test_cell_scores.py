"""`show --cell … --draw`: the scores behind a cell, out of the files that it was made from."""

import json

import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest

from penumbra.evaluation.resampling import draws_of
from penumbra.reporting.cell_scores import draw
from penumbra.reporting.tables import values
from penumbra.reporting.tables.printed import Printed
from penumbra.reporting.tables.values import evaluate
from penumbra.stages.metrics import _detected, _table_of_draws
from penumbra.stages.tables import SCHEMA
from penumbra.store import seals
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import column, numbers, table

SEEDS = [0, 1]
SETS = ("faces", "textures")
COLUMNS = (("fpr95", SETS), ("auroc", SETS[:1]), ("test_accuracy", ()))


@pytest.fixture(autouse=True)
def closed():
    """What a test drew is forgotten."""
    yield
    plt.close("all")


def put(file, rows, rule, inputs=(), **more):
    made = {"rule": rule, "wildcards": {}, "config": {}, "code": {}} | more
    write_parquet(file, rows, made | {"inputs": {str(i): seals.sealed(i) for i in inputs}})
    return file


def scored(folder, seed):
    """Metrics of energy, which tells two OOD sets apart, and of msp, whose scores are all equal."""
    rng = np.random.default_rng(seed)
    given = {
        "digits-test": rng.normal(4, 1, 80),
        "faces": rng.normal(1, 1, 60),
        "textures": rng.normal(2, 1, 50),
    }
    roles = {name: "ood" if name in SETS else "test" for name in given}
    names = [name for name, scores in given.items() for _ in scores]
    rows = {"image_set": column(names), "role": column([roles[name] for name in names])}
    files, both = [], []
    for scorer, factor in (("energy", 1), ("msp", 0)):
        every = {name: factor * scores for name, scores in given.items()}
        score = column(np.concatenate([*every.values()]))
        file = folder / f"scores/seed{seed}/{scorer}.parquet"
        files.append(put(file, pa.table(rows | {"score": score}), "scores"))
        both += _detected(files[-1])
    file = folder / f"metrics/seed{seed}.parquet"
    put(draws_of(file), _table_of_draws([draws for _, draws in both]), "metrics", files)
    return put(file, table([row for row, _ in both]), "metrics", files)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A table: FPR95 of two sets, AUROC of one, and accuracy; two scorers, and an absent one."""
    monkeypatch.chdir(tmp_path)
    values._rows.cache_clear()
    values._drawn.cache_clear()
    folder = (tmp_path / "results/w").relative_to(tmp_path)
    metrics = [scored(folder, seed) for seed in SEEDS]
    accuracy = table([{"role": "test", "accuracy": 0.9, "n": 80}])
    accuracies = [put(folder / f"accuracy/{s}.parquet", accuracy, "accuracy") for s in SEEDS]
    cells = [
        {
            "row": i, "row_label": scorer, "column": j, "column_label": "", "metric": metric,
            "scorer": scorer, "sets": [*sets], "missing": "no code" if scorer == "dhm" else None,
            "files": [] if scorer == "dhm" else [*map(str, metrics if sets else accuracies)],
            "reported": None, "outliers": None, "backbone": "r",
        }
        for i, scorer in enumerate(("energy", "msp", "dhm"))
        for j, (metric, sets) in enumerate(COLUMNS)
    ]  # fmt: skip
    rows = evaluate(cells, Printed([]), 0.95)
    meta = {"title": "A title", "notes": json.dumps(["World w."])}
    config = {"title": "A title", "cells": cells, "seeds": SEEDS, "confidence": 0.95}
    whole = pa.Table.from_pylist(rows, schema=SCHEMA.with_metadata(meta))
    file = folder / "tables/uat_table09.parquet"
    return put(file, whole, "tables", [*metrics, *accuracies], config=config)


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_a_panel_a_seed_shows_all_scores_of_the_cells_sets(stored):
    figure = draw(stored, "energy", "fpr95")
    axes = figure.axes
    assert [axis.get_title("left").split(":")[0] for axis in axes] == ["seed 0", "seed 1"]
    for seed, axis in enumerate(axes):
        rows = read_parquet(stored.parents[1] / f"scores/seed{seed}/energy.parquet")
        scores, names = numbers(rows["score"]), np.array(rows["image_set"].to_pylist())
        assert [line.split(":")[0] for line in legend(axis)] == ["ID, test", *SETS]
        for patch, name in zip(axis.patches, ("digits-test", *SETS), strict=True):
            shares, edges, _ = patch.get_data()
            assert shares.sum() == pytest.approx(1)
            there = scores[names == name]
            inside = (there >= edges[5]) & (there < edges[9])
            assert shares[5:9].sum() == pytest.approx(inside.mean())
        (line,) = (line.get_xdata()[0] for line in axis.lines)
        assert (scores[names == "digits-test"] >= line).mean() == 0.95
        assert line in scores[names == "digits-test"]


def test_the_numbers_are_those_of_the_table(stored, shown):
    told = shown(stored, "--cell", "energy", "auroc")
    for seed, axis in enumerate(draw(stored, "energy", "auroc").axes):
        title = axis.get_title("left")
        value = title.removeprefix(f"seed {seed}: AUROC ")
        assert f"seed {seed}     {value}  " in told
        assert legend(axis)[1].endswith(f"AUROC {value}")
        assert len(legend(axis)) == 2  # the column is of one set


def test_scores_that_are_all_equal_are_drawn(stored):
    for axis in draw(stored, "msp", "fpr95").axes:
        assert [patch.get_data()[0].max() for patch in axis.patches] == [1, 1, 1]


def test_it_is_written_and_told(stored, shown, tmp_path):
    picture = tmp_path / "picture.png"
    assert shown(stored, "--cell", "1", "1", "--draw", picture) == f"drawn in {picture}\n"
    assert matplotlib.image.imread(picture).std() > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cell", "energy", "test_accuracy"], "is of test_accuracy, from no scores"),
        (["--cell", "dhm", "fpr95"], "dhm, FPR95 ↓ is not computed: no code"),
        (["--cell", "1", "1", "--less", "2", "1"], "--draw is of one cell; leave --less out"),
        ([], "--draw: of which cell? Give --cell ROW COLUMN, too"),
    ],
)
def test_what_cannot_be_drawn_is_refused(stored, shown, tmp_path, arguments, told):
    picture = tmp_path / "picture.png"
    assert told in shown(stored, *arguments, "--draw", picture, status=1)
    assert not picture.exists()


@pytest.mark.parametrize("name", ["picture.jpg", "no/folder.png", "tables/uat_table09.parquet"])
def test_a_place_that_cannot_be_written_is_refused(stored, shown, name):
    before = stored.read_bytes()
    told = shown(stored, "--cell", "1", "1", "--draw", stored.parents[1] / name, status=1)
    assert f"error: results/w/{name}: " in told
    assert stored.read_bytes() == before


def test_scores_that_are_gone_or_others_are_named(stored, shown, tmp_path):
    scores = stored.parents[1] / "scores"
    call = (stored, "--cell", "energy", "fpr95", "--draw", tmp_path / "picture.png")
    (scores / "seed0/energy.parquet").write_bytes((scores / "seed1/energy.parquet").read_bytes())
    assert "was made from results/w/scores/seed0/energy.parquet" in shown(*call, status=1)
    (scores / "seed0/energy.parquet").unlink()
    assert "is gone: results/w/scores/seed0/energy.parquet" in shown(*call, status=1)
