"""scikit-learn's 1,797 handwritten digits (8×8, 16 grey levels), split by class."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from penumbra.images.contrast import render
from penumbra.images.shards import ImageSet, of_rows
from penumbra.seeds import derive


def read(spec: dict[str, Any], root: Path | None) -> ImageSet:
    """The split `spec["split"]` of the classes `spec["classes"]`, relabelled in that order."""
    bunch = load_digits()
    splits = spec["dataset"]["splits"]
    rows = []
    for label, digit in enumerate(spec["classes"] or range(10)):
        of_class = np.flatnonzero(bunch.target == digit)
        for i in _part(of_class, splits, spec["split"], digit):
            rows.append((f"digits/{i}", render(bunch.images[i], spec["size"]), label))
    return of_rows(rows, [str(digit) for digit in spec["classes"] or range(10)])


def _part(rows: np.ndarray, splits: dict[str, Any], split: str, digit: int) -> np.ndarray:
    order = np.random.default_rng(derive("digits", digit)).permutation(rows)
    start = 0.0
    for name, entry in splits.items():
        stop = start + entry["fraction"]
        if name == split:
            return np.sort(order[round(start * len(order)) : round(stop * len(order))])
        start = stop
    raise KeyError(split)
