"""Energy of sparsified weights (DICE, Sun & Li 2022)."""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import by_rows, head, logsumexp, quantile
from penumbra.options.ranges import Percent

NEEDS = ("features", "head")
FIT = ("train", "features", "head")


def fit(arrays: dict[str, np.ndarray], *, percentile: Percent = 90.0) -> dict[str, np.ndarray]:
    """The weights that contribute most on features (N, D): sparse_weight (C, D).

    Kept are those whose signed contribution W · mean(z) (contribution, (C, D)) lies above the
    percentile of all C · D ones; the paper keeps 10 % on CIFAR and 30 % on ImageNet.

    Raises:
        PenumbraError: the percentile is not in [0, 100] or keeps nothing, or a feature is not
            finite.
    """
    weight = arrays["weight"]
    contribution = weight * arrays["features"].mean(0, dtype=np.float64)
    kept = contribution > quantile(contribution, percentile, "dice")
    if not kept.any():
        raise PenumbraError(
            f"dice: no contribution lies above the percentile {percentile:g}; choose a lower one"
        )
    return {"sparse_weight": weight * kept, "contribution": contribution}


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """logsumexp((W ⊙ mask) z + b), Eq. 3 and 4: features (N, D) -> (N,)."""
    weight, bias = arrays["sparse_weight"], arrays["bias"]
    return by_rows(lambda z: logsumexp(head(weight, bias, z)), arrays["features"])
