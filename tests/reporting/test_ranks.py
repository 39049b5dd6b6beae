"""The diagram of ranks: what it reads of a table, what it draws, and what it refuses."""

import json
import subprocess
import sys

import matplotlib.pyplot as plt
import pyarrow as pa
import pytest
import yaml

from penumbra.errors import PenumbraError
from penumbra.planning.figures import Figures
from penumbra.planning.world import World
from penumbra.reporting.figures import ranks
from penumbra.reporting.origin import origin
from penumbra.reporting.tables.by_set import by_set
from penumbra.stages.tables import SCHEMA
from penumbra.store.artifacts import write_parquet

SETS = ("faces", "letters", "stars", "things", "walls")
ROWS = {
    "MSP": [0.9, 0.8, 0.9, 0.7, 0.9],
    "FN": [0.8, 0.7, 0.8, 0.6, 0.8],
    "EN": [0.7, 0.6, 0.7, 0.5, 0.7],
    "DHM": None,
}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def table(tmp_path):
    def make(rows, sets=SETS):
        cells, planned = [], []
        for i, (label, values) in enumerate(rows.items()):
            columns = [*([name] for name in sets), list(sets)]  # the last is their average
            for j, named in enumerate(columns):
                mean = None if values is None else values[j] if j < len(sets) else 0.5
                cells.append(
                    {
                        "row": i, "row_label": label, "column": j, "metric": "auroc", "mean": mean,
                        "equal": 0.5 if label == "EN" else 0.0,
                    }
                )  # fmt: skip
                planned.append({"sets": named})
        config = {"title": "T", "cells": planned, "confidence": 0.95, "seeds": [0, 4]}
        made = {"rule": "tables", "wildcards": {"table": "t"}}
        made |= {"config": {**config, "benchmarks": {"pets": {}}}}
        write_parquet(tmp_path / "t.parquet", pa.Table.from_pylist(cells, schema=SCHEMA), made)
        return tmp_path / "t.parquet"

    return make


def draw(file):
    config = {"title": "Ranks", "options": {"metrics": ["auroc"]}}
    return ranks.draw({"table": [file]}, config)


def test_a_table_is_read_by_image_set(table):
    found = by_set(table(ROWS), "auroc")
    assert found.means.index.tolist() == list(SETS)
    assert {k: list(v) for k, v in found.means.items()} == {
        "MSP": ROWS["MSP"], "FN": ROWS["FN"], "EN‡": ROWS["EN"]
    }  # fmt: skip
    assert (found.left_out, found.level, found.seeds) == (["DHM"], 0.95, [0, 4])


def test_the_diagram_says_ranks_and_what_is_told_apart(table):
    figure = draw(table(ROWS))
    (axis,) = figure.axes
    texts = [text.get_text().split() for text in axis.texts]
    told = {tuple(words) for words in texts if "critical" not in words}
    assert told == {("MSP", "1.00"), ("FN", "2.00"), ("3.00", "EN‡")}
    # On five sets 1.48 ranks tell apart: MSP from EN, and FN from neither.
    assert ["critical", "difference", "1.48"] in texts
    bars = [line for line in axis.lines if line.get_linewidth() == 2.5]
    assert [bar.get_xdata().tolist() for bar in bars] == [[1, 2], [2, 3]]
    caption = " ".join(figure.get_suptitle().split())
    for part in ("Ranks From T: 3 scorers", "each of 5 OOD image sets", "2 seeds", ": DHM.", "‡"):
        assert part in caption


BYTES = """
import sys
from pathlib import Path
from penumbra.reporting.drawing import save
from penumbra.reporting.figures.ranks import draw
table, svg = map(Path, sys.argv[1:])
config = {"title": "Ranks", "options": {"metrics": ["auroc"]}}
save(draw({"table": [table]}, config), svg.with_suffix(".png"), svg)
"""


def test_its_bytes_hang_on_the_table_alone(table, tmp_path, root):
    """Texts have other hashes in every process."""
    names = ["MSP", "FN", "EN", "KNN", "ODIN", "OTOD", "RFW"]
    values = {name: [0.9 - 0.1 * i - 0.01 * j for j in range(5)] for i, name in enumerate(names)}
    file, drawn = table(values), []
    for seed in ("1", "2"):
        svg = tmp_path / f"{seed}.svg"
        environment = {"PYTHONPATH": str(root / "workflow"), "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", BYTES, file, svg], env=environment, check=True)
        drawn.append((svg.read_bytes(), svg.with_suffix(".png").read_bytes()))
    assert drawn[0] == drawn[1]


def test_nothing_is_told_apart_where_friedmans_test_tells_nothing(table):
    mixed = {"MSP": [1, 2, 3, 1, 2], "FN": [2, 3, 1, 3, 1], "EN": [3, 1, 2, 2, 3]}
    (axis,) = draw(table(mixed)).axes
    (bar,) = (line for line in axis.lines if line.get_linewidth() == 2.5)
    assert len(bar.get_xdata()) == 3
    assert "no pair is tested" in axis.get_title()


@pytest.mark.parametrize(
    ("rows", "sets", "said"),
    [
        ({"MSP": [0.9, 0.8], "FN": [0.8, 0.7]}, SETS[:2], "2 scorers on 2 single image sets"),
        ({"MSP": [0.9], "FN": [0.8], "EN": [0.7]}, (), "0 scorers on 0 single image sets"),
    ],
)
def test_too_little_to_rank_is_refused(table, rows, sets, said):
    with pytest.raises(PenumbraError, match=said):
        draw(table(rows, sets))


def test_a_table_says_its_benchmarks_and_seeds(table):
    assert origin({"table": [table(ROWS)]}, {}) == "benchmark pets; seeds 0, 4"


@pytest.fixture
def world(root):
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    return lambda **more: World({**config, **more}, root / "config", [])


def test_the_figure_reads_the_table(world):
    made = Figures(world())
    file = "results/embedded/tables/uat_table01.parquet"
    assert made.files({"figure": "uat_ranks_figure"}) == [file]
    spec = json.loads(made.spec({"figure": "uat_ranks_figure"}))
    assert spec["config"]["inputs"] == {"table": [file]}


def test_a_table_that_the_world_has_not_is_told_when_its_figure_is_asked_for(world):
    made = Figures(world(tables=["uat_table02"]))
    with pytest.raises(PenumbraError, match=r"uat_ranks_figure shows uat_table01, .* add it"):
        made.files({"figure": "uat_ranks_figure"})
    # A world without what the table is of draws it as well, as no model is read.
    roles = {**made._world.config["roles"], "main": None}
    assert Figures(world(roles=roles)).files({"figure": "uat_ranks_figure"})
