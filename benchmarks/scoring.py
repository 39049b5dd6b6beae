"""CCFN over FN at scoring: the network up to the block, the statistics, the score."""

import numpy as np

from benchmarks.training import HALF, Sizes, pairs
from penumbra.networks.backbones import resnet
from penumbra.networks.inference import Reader
from penumbra.scores import ccfn, fn


def measure() -> list[tuple[str, float, str]]:
    """Rows: what, ratio, target."""
    sizes = Sizes()
    sizes.pairs = 11
    model = resnet.build(10, 18, sizes.width, "fn")
    reader = Reader(model, HALF, None, 500, sizes.device)
    pixels = np.random.default_rng(0).integers(0, 256, (1000, 3, 32, 32), dtype=np.uint8)
    block = "layer4.0"

    def feature_norm() -> None:
        fn.score(reader.channels(pixels, block, ("l2",)))

    def calibrated() -> None:
        ccfn.score(reader.channels(pixels, block, ("l2", "max")))

    what = f"ResNet-18, width {sizes.width}, block {block}"
    return [(f"CCFN over FN, time ({what})", pairs(calibrated, feature_norm, sizes), "≤ 1.05")]
