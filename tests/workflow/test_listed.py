"""A world whose images are listed: trained on crops of the originals, read as if decoded."""

import json

import pyarrow.parquet as pq
import pytest

from penumbra.images.image_set import classes_of
from penumbra.images.originals import is_listed
from penumbra.store.artifacts import provenance_of
from penumbra.store.columns import numbers
from tests.images.helpers import photographs
from tests.workflow.conftest import Tiny

WORLD = """
world: tiny
seeds: [0]
tables: []
figures: []
datasets:
  mine: &mine
    title: Photographs
    reader: stored
    licence: public
    source: made by the test
    labelled: true
    classes: 2
    size: 16
    square: crop
    splits: {train: {count: 24}, test: {count: 8}}
image_sets:
  mine-train: {dataset: mine, split: train, stored: listed}
  mine-test: {dataset: mine, split: test, stored: listed}
  textures: {count: 24}
benchmarks:
  mine:
    label: Photographs
    train: mine-train
    test: mine-test
    ood: {far: [textures]}
    missing: error
    normalisation: {mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
recipes:
  standard:
    epochs: 2
    batch_size: 8
    augment: {flip: true, crop_padding: 0, crop_scale: [0.3, 1.0]}
"""
MODEL = "mine/resnet18/uat/seed0"
SCORES = f"results/tiny/scores/{MODEL}/map-uat/msp.parquet"


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Scores of a model that was trained by UAT on JPEGs of different sizes."""
    made = Tiny(tmp_path_factory.mktemp("listed"), WORLD)
    for split, count in (("train", 24), ("test", 8)):
        for i, image in enumerate(photographs(count, 40)):
            folder = made.folder / f"data/mine/{split}/{'ab'[i % 2]}"
            folder.mkdir(parents=True, exist_ok=True)
            image.crop((0, 0, 40 - i, 25 + i % 9)).save(folder / f"{i}.jpg")
    made.run(SCORES, "--config", "data_root=data")
    return made


def test_it_is_computed_from_its_lists(computed):
    results = computed.folder / "results/tiny"
    train = results / "images/mine-train.parquet"
    assert is_listed(pq.read_schema(train))
    assert not is_listed(pq.read_schema(results / "images/textures.parquet"))
    assert classes_of(train) == ["a", "b"]
    scores = pq.read_table(computed.folder / SCORES)
    assert scores["image_set"].to_pylist() == ["mine-test"] * 8 + ["textures"] * 24
    assert len(set(numbers(scores["score"]).tolist())) > 16
    model = results / f"models/{MODEL}/model.safetensors"
    assert "penumbra.training.streaming" in provenance_of(model)["code"]["modules"]
    assert json.loads((model.parent / "model.safetensors.run.json").read_text())["images"] == 24


def test_a_damaged_image_ends_the_job_that_reads_it(computed):
    """Of the same name and length, so that no listing tells."""
    file = computed.folder / "data/mine/test/b/3.jpg"
    file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    for made in (SCORES, f"results/tiny/outputs/{MODEL}/map-uat.parquet"):
        (computed.folder / made).unlink()
    failed = computed.run(SCORES, "--config", "data_root=data", check=False)
    assert failed.returncode != 0
    assert "error: image set mine-test: unreadable image" in failed.output
    assert "test/b/3.jpg: its" in failed.output
    assert "Traceback" not in failed.output
    assert (computed.folder / f"results/tiny/models/{MODEL}/model.safetensors").exists()
