"""Energies of a classifier, with phi and without, and their calibration without outliers."""

import json

import numpy as np
import pytest
import torch
from tests.command import call
from tests.training.helpers import CPU, HALF, digits, network
from tests.training.test_energy import textures

from penumbra.evaluation.energies import energies
from penumbra.images.image_set import ImageSet, to_table
from penumbra.networks.inference import Reader
from penumbra.store.artifacts import read_parquet, write_checkpoint, write_parquet

NAMES = {"benchmark": "digits", "backbone": "resnet18", "recipe": "npos", "seed": "0"}


def test_phi_is_there_where_the_checkpoint_has_one():
    model, pixels = network(), digits(5)[0]
    reader = Reader(model, HALF, None, 3, CPU)
    plain = energies(reader, {}, pixels)
    x = (torch.from_numpy(pixels) / 255 - 0.5) / 0.5
    wanted = -model.eval()(x).detach().double().logsumexp(1).numpy()
    assert plain.keys() == {"energy"}
    np.testing.assert_allclose(plain["energy"], wanted, rtol=1e-5)
    phi = {"phi.0.weight": torch.tensor([[-2.0], [1.0]]), "phi.0.bias": torch.zeros(2)}
    both = energies(reader, phi, pixels)
    np.testing.assert_allclose(both["phi"], 3 * both["energy"])


def test_a_model_without_an_outlier_set_is_calibrated(tmp_path):
    pixels, labels = digits(60)
    for name, of in (("heldout", pixels), ("things", textures(40))):
        images = ImageSet(of, labels[: len(of)], [""] * len(of), list("0123456789"))
        write_parquet(tmp_path / f"{name}.parquet", to_table(images), {})
    tensors = {f"model.{name}": tensor for name, tensor in network().state_dict().items()}
    write_checkpoint(tmp_path / "model.safetensors", tensors, {})
    backbone = {"network": "resnet", "layers": 18, "width": 2, "stem": "fn"}
    config = {
        "backbone": backbone, "normalisation": HALF, "batch_size": 32, "device": "cpu",
        "channels_last": False, "precision": "float32", "threads": 1, "heldout": "heldout",
        "calibration_ood": "things", "outliers": None,
    }  # fmt: skip
    files = {"model": ["model.safetensors"], "images": ["heldout.parquet", "things.parquet"]}
    roots = ["penumbra.networks.backbones.resnet"]
    done = call(tmp_path, "energies", roots, NAMES, config, files, {"energies": "energies.parquet"})
    assert done.returncode == 0, done.stderr
    rows = read_parquet(tmp_path / "energies.parquet")
    assert "phi" not in rows.column_names
    assert rows["role"].to_pylist() == 60 * ["heldout"] + 40 * ["calibration_ood"]
    given = {"module": "beta", "input": "sigmoid_centered", "prior": "empirical"}
    made = {"calibration": "beta.parquet", "diagram": "beta.png"}
    names, maps = {**NAMES, "calibration": "beta"}, ["penumbra.calibration.maps.beta"]
    done = call(
        tmp_path, "calibrations", maps, names, given, {"energies": ["energies.parquet"]}, made
    )
    assert done.returncode == 0, done.stderr
    table = read_parquet(tmp_path / "beta.parquet")
    summary = json.loads(table.schema.metadata[b"calibration"])
    assert (summary["n_id"], summary["n_ood"]) == (60, 40)
    assert np.mean(table["q"].to_pylist()) == pytest.approx(0.6, abs=0.02)
