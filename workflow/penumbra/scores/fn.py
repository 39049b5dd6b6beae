"""Feature norm of a block (Yu et al. 2023)."""

import numpy as np

NEEDS = ("l2",)


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Mean over channels of the spatial L2 norm of ReLU(map): l2 (N, C) -> (N,) ≥ 0."""
    return arrays["l2"].mean(1, dtype=np.float64)
