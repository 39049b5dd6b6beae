"""The stages that fit and apply scorers, called as their rules do: what they write and refuse."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.command import call

from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.inference import build
from penumbra.store.artifacts import (
    provenance_of,
    read_checkpoint,
    read_parquet,
    write_checkpoint,
    write_parquet,
)
from penumbra.store.columns import vectors

NAMES = {"benchmark": "digits", "backbone": "resnet18", "recipe": "uat", "seed": "0"}
NAMES |= {"input": "clean"}
MODEL = "model digits/resnet18/uat/0"
NETWORK = {"network": "resnet", "layers": 18, "width": 8, "stem": "cifar"}


def scores(folder, logits, **changes):
    """MSP of one training, some test and two OOD images with logits (N, C)."""
    n = len(logits)
    columns = {
        "image_set": ["train"] + ["digits-test"] * (n - 3) + ["faces"] * 2,
        "role": ["train"] + ["test"] * (n - 3) + ["ood"] * 2,
        "index": pa.array(range(n), pa.int32()),
        "label": pa.array([0] * n, pa.int64()),
        "logits": vectors(logits),
    }
    write_parquet(folder / "outputs.parquet", pa.table(columns), {})
    config = {"module": "msp", "options": {}, "needs": ["logits"], "second": {}}
    files = {"features": ["outputs.parquet"]}, {"scores": "scores.parquet"}
    names = NAMES | {"scorer": "msp"}
    return call(folder, "scores", ["penumbra.scores.msp"], names, config, *files, **changes)


def test_test_and_ood_images_are_scored_in_order_and_equal_scores_told(tmp_path):
    logits = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    logits[4:] = 1
    done = scores(tmp_path, logits)
    assert done.returncode == 0, done.stderr
    found = read_parquet(tmp_path / "scores.parquet").to_pylist()
    assert [row["image_set"] for row in found] == ["digits-test"] * 3 + ["faces"] * 2
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert [row["score"] for row in found] == pytest.approx(softmax.max(1)[1:], rel=1e-6)
    assert "all 2 scores of faces are 0.333333: it tells none apart" in done.stdout
    assert "digits-test" not in done.stdout


def test_nan_names_scorer_model_and_image_set(tmp_path):
    logits = np.ones((6, 3), np.float32)
    logits[4] = np.nan
    done = scores(tmp_path, logits)
    assert done.returncode == 1
    named = f"scorer msp, {MODEL}: image set faces: 1 of 2 scores are NaN"
    assert named in done.stderr
    assert not (tmp_path / "scores.parquet").exists()


def test_code_that_changed_after_planning_is_refused(tmp_path):
    done = scores(tmp_path, np.ones((6, 3), np.float32), code="0" * 16)
    assert done.returncode == 1
    assert "call snakemake again" in done.stderr


@pytest.fixture
def folder(tmp_path):
    """Image sets, one of which has a class that the model does not know."""
    draws = np.random.default_rng(0)
    for name, count, classes in (("known", 12, "abc"), ("test", 5, "cbad"), ("other", 4, "")):
        pixels = draws.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        images = ImageSet(pixels, np.arange(count) % 3, [""] * count, list(classes))
        write_parquet(tmp_path / f"{name}.parquet", to_table(images), {})
    return tmp_path


def through_network(folder, rule, trained_on, config, inputs, outputs):
    """A stage of AdaSCALE with a small network."""
    torch.manual_seed(0)
    state = {f"model.{k}": v for k, v in build(NETWORK, 3).state_dict().items()}
    made = {"wildcards": {"benchmark": trained_on}}
    write_checkpoint(folder / "m.safetensors", state, made)
    half = [0.5] * 3
    whole = {
        "backbone": NETWORK, "normalisation": {"mean": half, "std": half}, "batch_size": 5,
        "device": "cpu", "channels_last": False, "precision": "float32", "threads": 1,
        "module": "adascale", "options": {}, "needs": ["gradients"], **config,
    }  # fmt: skip
    roots = ["penumbra.networks.backbones.resnet", "penumbra.scores.adascale"]
    inputs = {"model": ["m.safetensors"], **inputs}
    return call(folder, rule, roots, NAMES | {"scorer": "adascale"}, whole, inputs, outputs)


def scores_network(folder, trained_on):
    listed = {"train": "known", "test": "test", "shifted": [], "ood": ["other"]}
    files = [f"{name}.parquet" for name in ("known", "test", "other")]
    inputs = {"images": files, "fitted": ["fit.safetensors"]}
    made = {"scores": "s.parquet"}
    return through_network(folder, "scores_network", trained_on, listed, inputs, made)


def test_a_fit_through_the_network_is_read_back_and_scores_every_image(folder):
    config, made = {"image_set": "known", "images": 6}, {"fitted": "fit.safetensors"}
    inputs = {"images": ["known.parquet"]}
    done = through_network(folder, "fits_network", "digits", config, inputs, made)
    assert done.returncode == 0, done.stderr
    assert len(read_checkpoint(folder / "fit.safetensors")["support"]) == 6
    assert provenance_of(folder / "fit.safetensors")["config"]["images"] == 6
    done = scores_network(folder, "all-digits")
    assert done.returncode == 0, done.stderr
    rows = read_parquet(folder / "s.parquet").to_pylist()
    assert [row["image_set"] for row in rows] == ["test"] * 5 + ["other"] * 4
    assert [row["label"] for row in rows] == [2, 1, 0, 2, 1, 0, 1, 2, 0]
    assert len({row["score"] for row in rows}) > 1
    # A class beside those of the training is meant only under the models of another benchmark.
    done = scores_network(folder, "digits")
    assert done.returncode == 1
    assert "image set test: its classes 'd' are not among" in done.stderr
