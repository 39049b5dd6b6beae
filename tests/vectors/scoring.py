"""The scores' conformance vectors: the network that made them, in both precisions."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from penumbra.networks.backbones.resnet import build
from penumbra.networks.inference import Reader

CPU = torch.device("cpu")
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
IDENTITY = {"mean": [0.0] * 3, "std": [1.0] * 3}


def expected(folder, name):
    path = folder / "expected" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"this set of vectors has no {name}")
    return np.load(path)


def network(folder, stem_padding):
    weights = load_file(folder / "net.safetensors")
    classes, width = len(weights["fc.bias"]), len(weights["bn1.weight"])
    model = build(classes, 18, width, {1: "cifar", 2: "fn"}[stem_padding])
    model.load_state_dict({k.replace("shortcut", "downsample"): v for k, v in weights.items()})
    return model.eval()


def as_double(model, normalisation=HALF):
    """A reader whose inputs are float64."""
    reader = Reader(model.double(), normalisation, None, 128, CPU)
    for key in ("mean", "std"):
        exact = torch.tensor(normalisation[key], dtype=torch.float64).reshape(1, 3, 1, 1)
        setattr(reader, key, exact)
    return reader


def close(found, wanted, rtol=1e-9):
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * scale)
