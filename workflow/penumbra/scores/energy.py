"""Negative free energy (Liu et al. 2020)."""

import numpy as np

from penumbra.numerics import by_rows, class_first, logsumexp
from penumbra.options.ranges import Positive

NEEDS = ("logits",)


def score(arrays: dict[str, np.ndarray], temperature: Positive = 1.0) -> np.ndarray:
    """T · logsumexp(logits / T), Eq. 4 with the sign that larger means more ID: (N, C) -> (N,)."""
    return by_rows(lambda logits: logsumexp(class_first(logits), temperature), arrays["logits"])
