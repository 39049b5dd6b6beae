"""Generalised entropy of the probabilities (GEN, Liu et al. 2023)."""

import numpy as np

from penumbra.numerics import by_rows, class_first, softmax
from penumbra.options.ranges import Count, Positive

NEEDS = ("logits",)


def score(arrays: dict[str, np.ndarray], gamma: Positive = 0.1, top: Count = 100) -> np.ndarray:
    """-Σ pᵞ(1 - p)ᵞ over the `top` largest p of softmax(l): logits (N, C) -> (N,) ≤ 0."""

    def entropy(logits: np.ndarray) -> np.ndarray:
        p = -np.sort(-softmax(class_first(logits)), axis=0)
        rest = 1 - p
        rest[0] = p[1:].sum(0)  # without cancellation, where the largest is next to 1
        return -((p * rest)[:top] ** gamma).sum(0)

    return by_rows(entropy, arrays["logits"])
