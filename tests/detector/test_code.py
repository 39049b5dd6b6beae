"""A detector whose network is made by code of the user's own: it carries no code."""

import numpy as np
import pytest
import torch

from penumbra.detector.detector import Detector
from penumbra.detector.file import HELDOUT, write
from penumbra.errors import PenumbraError
from penumbra.networks.inference import build
from penumbra.store.user_code import digest
from tests.detector.conftest import CODE, described, noise

NET = """
from torch import nn


def build(classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, classes))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planned")
    (folder / "net_of_mine.py").write_text(NET)
    place = {"place": str(folder), "code": digest(folder, "net_of_mine")}
    given = {"network": "python", "name": "net_of_mine:build", "image_size": 16, **place}
    torch.manual_seed(0)
    state = build(given, 3).state_dict()
    tensors = {f"model.{name}": tensor.clone() for name, tensor in state.items()}
    made = folder / "mine.safetensors"
    heldout = {HELDOUT: torch.arange(20).double()}
    write(made, described(backbone=given), {**tensors, **heldout}, CODE)
    return made


def test_it_is_loaded_with_the_folder_of_its_code(file):
    detector = Detector.load(file, "cpu", code=file.parent)
    assert np.isfinite(detector(noise(4))["score"]).all()


def test_without_it_says_what_is_missing(file, tmp_path):
    with pytest.raises(PenumbraError, match=r"made by python:net_of_mine:build, code of your own"):
        Detector.load(file, "cpu")
    with pytest.raises(PenumbraError, match="there is no module net_of_mine"):
        Detector.load(file, "cpu", code=tmp_path)
