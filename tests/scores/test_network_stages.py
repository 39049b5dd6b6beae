"""The stages that give scorers the network: a fit is written, read back, and scores every image."""

import json

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.inference import build
from penumbra.planning.needs import declared, fit_needs, needs, of_network
from penumbra.plugins import names
from penumbra.stages import fits_network, scores_network
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import (
    read_checkpoint,
    read_parquet,
    write_checkpoint,
    write_parquet,
)
from penumbra.store.closure import code_of

CLASSES = ["a", "b", "c"]
SETS = {"known": 12, "test": 5, "other": 4}
NETWORK = [name for name in names("scores") if of_network(needs({"module": name}))]
FITTED = [name for name in NETWORK if of_network(fit_needs({"module": name}))]
SCORERS = [name for name in NETWORK if name in FITTED or not declared(name).fit]


def backbone(scorer):
    if scorer == "ccfn_vit":
        return {"network": "t2t_vit", "image_size": 32, "width": 24, "depth": 2, "heads": 3}
    head = {"head": {"similarity": "cosine"}} if scorer == "godin" else {}
    return {"network": "resnet", "layers": 18, "width": 8, "stem": "cifar", **head}


@pytest.fixture
def folder(tmp_path):
    draws = np.random.default_rng(0)
    for name, count in SETS.items():
        pixels = draws.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
        images = ImageSet(pixels, np.arange(count) % 3, [""] * count, CLASSES)
        write_parquet(tmp_path / f"{name}.parquet", to_table(images), {})
    return tmp_path


def job(folder, rule, scorer, wanted, **config):
    torch.manual_seed(0)
    network = backbone(scorer)
    state = build(network, len(CLASSES)).state_dict()
    write_checkpoint(folder / "m.safetensors", {f"model.{k}": v for k, v in state.items()}, {})
    roots = [f"penumbra.networks.backbones.{network['network']}", f"penumbra.scores.{scorer}"]
    roots += ["penumbra.networks.layers.heads"] if "head" in network else []
    half = [0.5] * 3
    reading = {
        "backbone": network, "normalisation": {"mean": half, "std": half}, "batch_size": 5,
        "device": "cpu", "channels_last": False, "precision": "float32", "threads": 1,
        "train": "known", "test": "test", "shifted": [],
        "ood": ["other"], "module": scorer, "options": {}, "needs": list(wanted),
    }  # fmt: skip
    wildcards = {
        "benchmark": "b", "backbone": "n", "recipe": "r", "seed": "0", "input": "clean",
        "scorer": scorer,
    }  # fmt: skip
    spec = {
        "rule": rule, "wildcards": wildcards, "config": {**reading, **config}, "roots": roots,
        "code": code_of([f"penumbra.stages.{rule}", *roots])["digest"],
    }  # fmt: skip
    fitted = folder / "fit.safetensors"
    given = [f"model={folder}/m.safetensors", "images=", *(f"{folder}/{n}.parquet" for n in SETS)]
    given += [f"fitted={fitted}"] if fitted.is_file() and rule == "scores_network" else []
    made = {"fits_network": f"fitted={fitted}", "scores_network": f"scores={folder}/s.parquet"}
    return Job(["--in", *given, "--out", made[rule]], json.dumps(spec))


def fit(folder, scorer, **config):
    wanted = fit_needs({"module": scorer})
    whole = {"image_set": "known", "images": None}
    made = job(folder, "fits_network", scorer, wanted, **{**whole, **config})
    fits_network.run(made)
    return read_checkpoint(folder / "fit.safetensors")


@pytest.mark.parametrize("scorer", SCORERS)
def test_every_test_and_ood_image_gets_a_score(folder, scorer):
    if scorer in FITTED:
        assert fit(folder, scorer)
    made = job(folder, "scores_network", scorer, needs({"module": scorer}))
    scores_network.run(made)
    rows = read_parquet(folder / "s.parquet").to_pylist()
    assert [row["image_set"] for row in rows] == ["test"] * 5 + ["other"] * 4
    assert [row["label"] for row in rows[:5]] == [0, 1, 2, 0, 1]
    assert np.isfinite([row["score"] for row in rows]).all()
    assert len({row["score"] for row in rows}) > 1


def test_a_fit_on_fewer_images(folder):
    every, few = (fit(folder, "adascale", images=count)["support"] for count in (None, 6))
    assert (len(every), len(few)) == (12, 6)


def test_an_error_names_scorer_and_model(folder):
    options = {"layers": {"features": {"full": 5, "bins": 50}}}
    with pytest.raises(PenumbraError, match=r"scorer nac, model b/n/r/0: .* no alpha"):
        fit(folder, "nac", options=options)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: x[:, None], r"the shape \(5, 1\); .* the shape \(5,\)"),
        (lambda x: x[1:], r"the shape \(4,\); .* the shape \(5,\)"),
        (lambda x: x.to(torch.complex64), "the dtype torch.complex64, not real numbers"),
        (lambda x: x.tolist(), "list, not a tensor"),
    ],
)
def test_what_is_not_one_number_per_image_is_refused(folder, monkeypatch, change, told):
    class Scorer:
        @staticmethod
        def score(probe, x):
            return change(x.mean((1, 2, 3)))

    made = job(folder, "scores_network", "odin", ["maps"])
    monkeypatch.setattr(scores_network, "load", lambda *names: Scorer)
    with pytest.raises(PenumbraError, match=r"scorer odin, .*image set test: .*returned " + told):
        scores_network.run(made)
    assert not (folder / "s.parquet").exists()
