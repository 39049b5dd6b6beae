"""Figures of paper uat, bars, and what stands below every figure."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, to_table
from penumbra.planning.figures import Figures
from penumbra.planning.world import World
from penumbra.reporting.bars import bars
from penumbra.reporting.drawing import panels, save
from penumbra.reporting.figures import uat_figure03, uat_figure05
from penumbra.reporting.origin import origin, sign
from penumbra.store.artifacts import write_checkpoint, write_parquet
from penumbra.store.columns import column, vectors

CLASSES = ["cat", "dog", "owl"]


@pytest.fixture(autouse=True)
def _closed():
    plt.close("all")
    yield
    plt.close("all")


def outputs(file, rng):
    """Features of ten test images of each class, and one training image before them."""
    labels = np.array([0, *np.repeat(range(3), 10)])
    features = (rng.normal(size=(31, 4)) + 5 * labels[:, None]).astype(np.float32)
    rows = pa.table(
        {
            "image_set": column(["train"] + ["test"] * 30),
            "role": column(["train"] + ["test"] * 30),
            "label": column(labels),
            "features": vectors(features),
        }
    )
    write_parquet(file, rows, {"wildcards": {"benchmark": "pets", "seed": "1"}})
    return file


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    pixels = np.zeros((3, 3, 4, 4), np.uint8)
    images = ImageSet(pixels, np.arange(3), ["", "", ""], CLASSES)
    write_parquet(tmp_path / "i.parquet", to_table(images), {"wildcards": {"image_set": "test"}})
    both = {role: [outputs(tmp_path / f"{role}.parquet", rng)] for role in ("standard", "uat")}
    return {**both, "test": [tmp_path / "i.parquet"]}


def test_the_legend_of_figure_3_names_the_classes(files):
    options = {"seed": 0, "samples": 30, "perplexity": 5}
    figure = uat_figure03.draw(files, {"title": "T", "options": options})
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == CLASSES
    for axis in figure.axes:
        colours = {tuple(dots.get_facecolor()[0]) for dots in axis.collections}
        assert len(colours) == 3


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({}, "holds no universal map"),
        ({"map@layer2.1": torch.zeros(1, 8, 4, 4)}, "holds a map that is added at layer2.1"),
    ],
)
def test_figure_5_is_of_a_map_of_the_input(tmp_path, tensors, said):
    file = tmp_path / "model.safetensors"
    write_checkpoint(file, {"model.fc.bias": torch.zeros(2), **tensors}, {"rule": "models"})
    config = {
        "title": "T",
        "options": {"contrast": 1},
        "networks": {"model": {"normalisation": {"std": [0.5] * 3}}},
    }
    with pytest.raises(PenumbraError, match=said):
        uat_figure05.draw({"model": [file]}, config)


def test_many_classes_have_colours_and_no_legend():
    figure, (axis,) = panels(1, 1, 2, 2)
    classes = [f"c{i}" for i in range(100)]
    uat_figure03.points(axis, np.zeros((100, 2)), np.arange(100), classes)
    assert len({tuple(dots.get_facecolor()[0]) for dots in axis.collections}) == 100
    assert not figure.legends


def test_error_bars_end_where_values_do():
    _, (axis,) = panels(1, 1, 3, 3)
    values = {"high": (90.0, 30.0), "low": (10.0, 30.0), "alone": (50.0, None)}
    bars(axis, list(values), values, {}, {}, ".1f", 100)
    found = [bar.get_segments()[0][:, 1].tolist() for bar in axis.collections]
    assert found == [[60, 100], [0, 40]]
    written = [text.get_text() for text in axis.texts]
    assert written == ["90.0 ± 30.0", "10.0 ± 30.0", "50.0"]
    assert axis.get_ylim() == pytest.approx((0, 115))


def test_every_figure_names_benchmarks_and_seeds(files, tmp_path):
    write_parquet(
        tmp_path / "m.parquet", pa.table({"x": [1]}),
        {"wildcards": {"benchmark": "birds", "seed": "0"}},
    )  # fmt: skip
    more = {**files, "metrics": [tmp_path / "m.parquet"]}
    assert origin(files, {}) == "benchmark pets; seed 1"
    assert origin(more, {}) == "benchmarks birds, pets; seeds 0, 1"
    assert origin({}, {"seed": 3}) == "points in the plane, of no benchmark; seed 3"
    figure, _ = panels(1, 1, 2, 2)
    sign(figure, origin(more, {}))
    save(figure, tmp_path / "f.png", tmp_path / "f.svg")
    assert "benchmarks birds, pets; seeds 0, 1" in (tmp_path / "f.svg").read_text()


def test_every_figure_has_inputs_of_a_model_or_table_or_a_seed_of_its_own(root):
    world = World(yaml.safe_load((root / "config/config.yaml").read_text()), root / "config", [])
    for name in world.config["figures"]:
        config = json.loads(Figures(world).spec({"figure": name}))["config"]
        files = [file for found in config["inputs"].values() for file in found]
        seeded = any("/seed" in file or "/tables/" in file for file in files)
        assert seeded or "seed" in config["options"], name
