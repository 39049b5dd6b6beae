"""Largest logit (Hendrycks et al. 2022)."""

import numpy as np

from penumbra.numerics import by_rows, class_first

NEEDS = ("logits",)


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """max_j l_j: logits (N, C) -> (N,)."""
    return by_rows(lambda logits: class_first(logits).max(0), arrays["logits"])
