"""Energy of rectified activations (ReAct, Sun et al. 2021)."""

import numpy as np

from penumbra.numerics import by_rows, head, logsumexp, quantile
from penumbra.options.ranges import Percent

NEEDS = ("features", "head")
FIT = ("train", "features")


def fit(arrays: dict[str, np.ndarray], *, percentile: Percent = 90.0) -> dict[str, np.ndarray]:
    """The percentile of all entries of features (N, D), where they are cut off: threshold (1,).

    The paper fits on training images; its code on held-out ones.

    Raises:
        PenumbraError: the percentile is not in [0, 100], or a feature is not finite.
    """
    return {"threshold": np.array([quantile(arrays["features"], percentile, "react")])}


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """logsumexp(W min(z, c) + b), Eq. 2 and 7: features (N, D) -> (N,)."""
    weight, bias, features = arrays["weight"], arrays["bias"], arrays["features"]
    threshold = features.dtype.type(arrays["threshold"][0])
    return by_rows(lambda z: logsumexp(head(weight, bias, np.minimum(z, threshold))), features)
