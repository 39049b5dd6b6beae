"""Outlier exposure by an independent formula, and as its stage trains it."""

import dataclasses

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, to_table
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.training.loop import Trainer
from penumbra.training.method import Batch
from penumbra.training.methods import oe
from tests.command import call
from tests.training.helpers import HALF, RECIPE, digits, network, setting
from tests.training.test_energy import fed, textures

OPTIONS = {"images": "things", "outlier_batch": 6}


def method(outliers, **changes):
    made = dataclasses.replace(setting(network()), outliers=outliers)
    return oe.build(OPTIONS | changes, made)


def trainer(count=44, weight=0.5, **recipe):
    made = method(fed(textures(20)), weight=weight)
    return Trainer(made.setting.model, fed(*digits(count)), made, RECIPE | recipe, 0)


def test_the_loss_is_cross_entropy_to_the_uniform():
    draws = np.random.default_rng(0)
    logits, y = 2 * draws.normal(size=(9, 5)), draws.integers(0, 5, 4)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    own = -np.log(p[np.arange(4), y]).mean()
    uniform = -np.log(p[4:]).mean()
    found = method(fed(textures(20)), weight=0.7).loss(
        torch.from_numpy(logits), torch.from_numpy(y)
    )
    assert float(found) == pytest.approx(own + 0.7 * uniform, rel=1e-6)
    sure = torch.zeros(3, 5)
    assert float(method(fed(textures(20))).loss(sure, torch.tensor([1]))) == pytest.approx(
        1.5 * np.log(5)
    )


def test_outliers_stand_behind_the_images_and_are_new_in_every_step():
    run = trainer()
    x, y = run.feeder.batch(torch.arange(8), torch.Generator().manual_seed(0))
    first, _ = run.method.inputs(x, y, Batch(0, 0, 0))
    later, _ = run.method.inputs(x, y, Batch(0, 1, 1))
    assert first.shape == (14, 3, 16, 16)
    assert torch.equal(first[:8], x)
    assert not torch.equal(first[8:], later[8:])
    with pytest.raises(PenumbraError, match="method oe trains on outliers"):
        method(None)


def test_outliers_come_to_have_no_class():
    """Of two trainings from one start, only that with the loss is unsure of textures."""

    def confidence(weight):
        run = trainer(200, weight, epochs=8, batch_size=20, lr=0.1)
        run.run(None, lambda _: None)
        shares = run.model.eval()(run.method.outliers.batch(0)).detach().softmax(1)
        return shares.amax(1).mean().item()

    assert confidence(0.5) < confidence(0.0) - 0.1


def test_the_stage_takes_an_image_set_as_outliers(tmp_path):
    for name, pixels in (("train", digits(60)[0]), ("things", textures(12))):
        labels = np.arange(len(pixels)) % 10
        images = ImageSet(pixels, labels, [""] * len(pixels), list("0123456789"))
        write_parquet(tmp_path / f"{name}.parquet", to_table(images), {})
    recipe = RECIPE | {"method": "oe", "options": OPTIONS, "epochs": 1}
    config = {
        "backbone": {"network": "resnet", "layers": 18, "width": 2, "stem": "fn"},
        "recipe": recipe | {"augment": {"flip": False, "crop_padding": 2}},
        "outliers": {"images": "things"}, "normalisation": HALF, "device": "cpu", "threads": 1,
        "channels_last": False, "compile": False, "graphs": False, "streams": False,
    }  # fmt: skip
    names = {"benchmark": "digits", "backbone": "resnet18", "recipe": "oe", "seed": "0"}
    roots = ["penumbra.networks.backbones.resnet", "penumbra.training.methods.oe"]
    files = {"train": ["train.parquet"], "outliers": ["things.parquet"]}
    made = {"model": "model.safetensors", "history": "history.parquet"}
    done = call(tmp_path, "models", roots, names, config, files, made)
    assert done.returncode == 0, done.stderr
    (epoch,) = read_parquet(tmp_path / "history.parquet").to_pylist()
    assert np.isfinite(epoch["loss"])
