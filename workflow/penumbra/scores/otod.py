"""Optimal transport to two point masses (OTOD, Gao et al. 2025)."""

import numpy as np

from penumbra.numerics import by_rows, class_first, softmax
from penumbra.options.ranges import Positive

NEEDS = ("logits", "features")


def score(arrays: dict[str, np.ndarray], temperature: Positive = 3.0) -> np.ndarray:
    """-(d(z) + d(l) + d(softmax(l / T))) / 3: logits (N, C), features (N, D) -> (N,) ≤ 0."""

    def mean_distance(logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        columns = class_first(logits)
        views = (class_first(features), columns, softmax(columns, temperature))
        return -np.mean([_distance(view) for view in views], axis=0)

    return by_rows(mean_distance, arrays["logits"], arrays["features"])


def _distance(columns: np.ndarray) -> np.ndarray:
    """Of each column's entries to a point mass at 1/dim or at 0, the nearer one: (dim, n) -> (n,).

    Entries are those of v/‖v‖ + 1e-10, and a zero vector's 1e-10. In one dimension the transport
    to a point costs the mean distance from it.
    """
    size = np.sqrt(np.einsum("dn,dn->n", columns, columns))
    size[size == 0] = 1
    entries = columns / size
    entries += entries.dtype.type(1e-10)
    to_uniform = np.abs(entries - entries.dtype.type(1 / len(entries))).mean(0, dtype=np.float64)
    return np.minimum(to_uniform, np.abs(entries, out=entries).mean(0, dtype=np.float64))
