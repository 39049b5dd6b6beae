"""A detector as one ONNX graph: pixels in, score and logits out; checked before it is handed over.

Input `images`: float32 (N, 3, size, size), RGB from 0 to 255, any N; normalisation is inside.
Outputs: `score` float64 (N,), larger is more ID, and `logits` float32 (N, C). The graph's metadata
say the threshold, its TPR, the class names and how an image is made square.
"""

import importlib.util
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from penumbra.detector.detector import Detector
from penumbra.detector.onnx_scores import SCORES
from penumbra.errors import PenumbraError
from penumbra.images.prepared import prepared
from penumbra.networks.inference import Reader, statistics
from penumbra.store.files import atomic

PACKAGES = ("onnx", "onnxruntime", "onnxscript")
CHECKED = 32  # images of each kind
# How far the graph may be from the detector: of the scores' deviation on held-out images, and of
# the score itself, as distances far from all ID images are large.
OF_DEVIATION, OF_SCORE = 1e-3, 1e-4
PHOTOGRAPH = "data/astronaut.png"  # ships with scikit-image


class Graph(nn.Module):
    """The network and the scorer on pixels from 0 to 255."""

    def __init__(self, reader: Reader, score: Any, block: str, needs: tuple[str, ...], fixed: dict):
        super().__init__()
        self.network, self.perturb = reader.model, reader.perturb
        self.mean, self.std = reader.mean, reader.std
        self.score, self.block, self.fixed = score, block, fixed
        self.needs = tuple(name for name in needs if name != "head")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Float32 (N, 3, H, W) -> scores (N,) float64, logits (N, C)."""
        x = (images / 255 - self.mean) / self.std
        features = self.network.features(x, self.perturb)
        logits = self.network.fc(features)
        arrays = {"logits": logits, "features": features}
        if self.block:
            maps = self.network.maps(x, (self.block,), self.perturb)[self.block]
            arrays = statistics(maps, self.needs)
        return self.score({**arrays, **self.fixed}), logits


def write(detector: Detector, out: Path) -> str:
    """Write the graph and say how far its scores are from the detector's.

    Raises:
        PenumbraError: packages are missing, the scorer or precision has no graph, or the graph's
            scores are too far from the detector's; nothing is written then.
    """
    _check_packages()
    graph = _graph(detector)
    size = detector.description.size
    images = torch.zeros(2, 3, size, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter about itself
        program = torch.onnx.export(
            graph, (images,), dynamo=True, verbose=False,
            input_names=["images"], output_names=["score", "logits"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
        )  # fmt: skip
    assert program is not None
    program.model.metadata_props.update(_metadata(detector))
    with atomic(out) as temporary:
        program.save(temporary, external_data=False)
        differences = _compared(detector, temporary)
    told = ", ".join(f"{far:.2g} on {CHECKED} {kind} images" for kind, far in differences.items())
    return f"{out}: largest difference of a score from the detector's {told}"


def _check_packages() -> None:
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise PenumbraError(
            f"{', '.join(missing)}: not installed, and ONNX needs it; pip install penumbra[onnx]"
        )


def _graph(detector: Detector) -> Graph:
    scorer, scoring = detector.description.scorer, detector.scoring
    if scorer["module"] not in SCORES:
        raise PenumbraError(
            f"scorer {scorer['name']}: {scorer['module']} cannot be written as a graph; these can: "
            f"{', '.join(sorted(SCORES))}"
        )
    if detector.description.precision != "float32":
        raise PenumbraError(
            f"the detector computes in {detector.description.precision}, and a graph in float32: "
            "export it from a world with compute.precision.features: float32"
        )
    score = SCORES[scorer["module"]]
    fixed = {name: torch.from_numpy(array) for name, array in scoring.fixed.items()}

    def scored(arrays: Mapping[str, Tensor]) -> Tensor:
        return score(arrays, **scorer["options"])

    return Graph(scoring.reader, scored, scorer["block"], scorer["needs"], fixed).eval()


def _metadata(detector: Detector) -> dict[str, str]:
    description = detector.description
    return {
        "scorer": description.scorer["name"],
        "threshold": repr(detector.threshold),
        "tpr": repr(detector.tpr),
        "classes": json.dumps(description.classes),
        "square": description.square,
        "images": "RGB from 0 to 255, normalised inside; accepted where score >= threshold",
    }


def _compared(detector: Detector, file: Path) -> dict[str, float]:
    """The largest difference of scores, of random and of real images."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    differences = {}
    for kind, pixels in _images(detector).items():
        wanted = detector.scores(pixels)
        (given,) = session.run(["score"], {"images": pixels.astype(np.float32)})
        apart = np.abs(given - wanted)
        if not (apart <= OF_DEVIATION * detector.heldout.std() + OF_SCORE * np.abs(wanted)).all():
            raise PenumbraError(
                f"the graph's scores are up to {apart.max():.3g} from the detector's on {kind} "
                f"images, and held-out scores deviate by {detector.heldout.std():.3g}; nothing is "
                "written"
            )
        differences[kind] = float(apart.max())
    return differences


def _images(detector: Detector) -> dict[str, np.ndarray]:
    """Noise, and windows of a photograph: uint8 (CHECKED, 3, size, size) each."""
    import skimage

    size, way = detector.description.size, detector.description.square
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (CHECKED, 3, size, size), dtype=np.uint8)
    with Image.open(Path(skimage.__file__).parent / PHOTOGRAPH) as opened:
        picture = opened.convert("RGB")
    sides = rng.integers(32, 256, CHECKED)
    corners = rng.integers(0, 256, (CHECKED, 2))
    windows = [
        prepared(picture.crop((x, y, x + side, y + side)), way, size)
        for side, (x, y) in zip(sides.tolist(), corners.tolist(), strict=True)
    ]
    return {"random": noise, "real": np.stack(windows)}
