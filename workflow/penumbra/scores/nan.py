"""Norm over active units (NAN, Park et al. 2023)."""

import numpy as np

from penumbra.numerics import by_rows

NEEDS = ("features",)


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """‖z‖₁ / ‖z‖₀, Eq. 10: features (N, D) -> (N,) ≥ 0; 0 without an active unit."""

    def ratio(z: np.ndarray) -> np.ndarray:
        return np.abs(z).sum(1, dtype=np.float64) / np.maximum(np.count_nonzero(z, axis=1), 1)

    return by_rows(ratio, arrays["features"])
