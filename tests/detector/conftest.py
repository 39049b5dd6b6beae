"""One small detector of random weights, made without a workflow."""

import numpy as np
import pytest
import torch

from penumbra.detector.calibration import calibrate
from penumbra.detector.detector import Detector
from penumbra.detector.file import HELDOUT, OOD, Description, write
from penumbra.networks.inference import build

BACKBONE = {"network": "wrn", "depth": 10, "widen": 1}
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
SIZE, CLASSES = 16, ["cat", "dog", "owl"]
CODE = {"code": {"digest": "0123456789abcdef"}, "rule": "detectors", "wildcards": {}}


def scorer(module="energy", needs=("logits",), block="", **options):
    return {
        **{"name": module, "module": module, "options": options, "needs": list(needs)},
        **{"block": block, "instead_of": "", "fitted": ""},
    }


def described(**changes):
    names = {"world": "small", "benchmark": "pets", "backbone": "resnet18", "recipe": "standard"}
    given = {
        "backbone": BACKBONE, "normalisation": HALF, "size": SIZE, "square": "squash",
        "classes": CLASSES, "precision": "float32", "channels_last": False, "batch_size": 8,
        "scorer": scorer(), "calibration": None, "uncalibrated": "no OOD images", "tpr": 0.9,
        "names": {**names, "seed": "0", "input": "clean"},
    }  # fmt: skip
    return Description(**(given | changes))


def noise(count, seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def weights():
    torch.manual_seed(0)
    network = build(BACKBONE, len(CLASSES))
    return {f"model.{name}": tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture(autouse=True)
def _as_before():
    """The command makes its process repeatable, which is none of other tests' business."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    """A calibrated detector: noise is held-out ID, stripes are OOD."""
    path = tmp_path_factory.mktemp("detector") / "small.safetensors"
    tensors = {**weights(), HELDOUT: torch.zeros(1).double()}
    raw = Detector(described(), tensors, "cpu")
    stripes = np.repeat(noise(40, 2)[:, :, :1], SIZE, 2)
    scores = {HELDOUT: raw.scores(noise(50, 1)), OOD: raw.scores(stripes)}
    made = described(calibration=calibrate(*scores.values(), 0), uncalibrated="")
    known = {role: torch.from_numpy(values) for role, values in scores.items()}
    write(path, made, {**tensors, **known}, CODE)
    return path


@pytest.fixture(scope="session")
def detector(file):
    return Detector.load(file, "cpu")
