"""Norm of the last layer's gradient (GradNorm, Huang et al. 2021)."""

import numpy as np

from penumbra.numerics import by_rows, class_first, softmax

NEEDS = ("logits", "features")


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """‖z‖₁ · Σ_j |C p_j - 1|: logits (N, C), features (N, D) -> (N,) ≥ 0.

    This is the L1 norm of the gradient of -Σ_j log p_j in the last layer's weights, in closed form
    (Eq. 7 times C, as the authors' code has it). Larger means more ID.
    """

    def norm(logits: np.ndarray, z: np.ndarray) -> np.ndarray:
        targets = logits.shape[1] * softmax(class_first(logits)) - 1
        return np.abs(z).sum(1, dtype=np.float64) * np.abs(targets).sum(0)

    return by_rows(norm, arrays["logits"], arrays["features"])
