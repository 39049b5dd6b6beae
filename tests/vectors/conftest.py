"""Arrays, images and exact readings of the scores' conformance vectors."""

import numpy as np
import pytest
import torch

from tests.vectors.scoring import as_double, network


@pytest.fixture(scope="session")
def folder(request):
    path = request.config.getoption("--vectors") / "scores"
    if not path.is_dir():
        pytest.skip(f"no conformance vectors in {path}; name their folder with --vectors")
    return path


@pytest.fixture(scope="session")
def arrays(folder):
    return np.load(folder / "arrays.npz")


@pytest.fixture(scope="session")
def pixels(folder):
    return np.load(folder / "images_u8.npz")


@pytest.fixture(scope="session")
def exact(folder, pixels):
    """Logits, features and the last two maps (of ID and OOD images) of the network in float64."""
    reader = as_double(network(folder, 1))
    blocks = reader.model.blocks[-2:]
    found = {}
    with torch.inference_mode():
        for side in ("train", "val", "id", "ood"):
            parts = {"logits": [], "features": [], "block6": [], "block7": []}
            for x in reader.batches(pixels[side]):
                z = reader.model.features(x)
                parts["features"].append(z)
                parts["logits"].append(reader.model.fc(z))
                if side in ("id", "ood"):
                    maps = reader.model.maps(x, blocks)
                    for key, block in zip(("block6", "block7"), blocks, strict=True):
                        parts[key].append(maps[block])
            for key, batches in parts.items():
                if batches:
                    found[f"{side}_{key}"] = torch.cat(batches).numpy()
    return found
