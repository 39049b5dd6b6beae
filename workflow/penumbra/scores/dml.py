"""Decoupled max logit on one network (DML, Zhang & Xiang 2023)."""

import numpy as np

from penumbra.numerics import by_rows, norms, unit
from penumbra.options.ranges import NotNegative

NEEDS = ("features", "head")


def score(arrays: dict[str, np.ndarray], norm_weight: NotNegative = 1.0) -> np.ndarray:
    """max_j cos(z, w_j) + λ ‖z‖: features (N, D) -> (N,).

    λ (`norm_weight`) has no published value; 0 leaves the cosine alone. A zero vector has cosine 0.
    """
    directions = unit(arrays["weight"])

    def decoupled(z: np.ndarray) -> np.ndarray:
        size = norms(z)
        cosine = (directions @ z.T).max(0) / np.where(size == 0, 1, size)
        return cosine + norm_weight * size

    return by_rows(decoupled, arrays["features"])
