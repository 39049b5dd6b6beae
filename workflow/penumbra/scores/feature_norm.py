"""Norm of the penultimate features: what the UAT paper's theory speaks of (Eq. 3)."""

import numpy as np

from penumbra.numerics import by_rows, norms

NEEDS = ("features",)


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """‖z‖₂ of features (N, D) -> (N,) ≥ 0. FN and CCFN are norms of a block's map, not of z."""
    return by_rows(norms, arrays["features"])
