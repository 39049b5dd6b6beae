"""scikit-learn's 1,797 handwritten digits (8×8, 16 grey levels), split by class."""

import functools
import importlib.metadata
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.images.contrast import render
from penumbra.images.entries import Entries, Entry
from penumbra.seeds import derive


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """The split `spec["split"]`, sorted by digit."""
    grids, shown = _load()
    splits = spec["dataset"]["splits"]
    rows = []
    for digit in range(10):
        of_class = np.flatnonzero(shown == digit)
        for i in _of_split(of_class, splits, spec["split"], digit):
            pixels = functools.partial(render, grids[i], spec["size"])
            rows.append(Entry(f"digits/{i}", digit, pixels))
    return Entries(rows, [str(digit) for digit in range(10)])


def _load() -> tuple[np.ndarray, np.ndarray]:
    """Grey values (1797, 8, 8) and digits (1797,), in the order of scikit-learn's load_digits().

    The file is read in its place, as an import of scikit-learn takes seconds.
    """
    package = importlib.metadata.distribution("scikit-learn")
    table = np.loadtxt(
        str(package.locate_file("sklearn/datasets/data/digits.csv.gz")), delimiter=","
    )
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)


def _of_split(rows: np.ndarray, splits: dict[str, Any], split: str, digit: int) -> np.ndarray:
    order = np.random.default_rng(derive("digits", digit)).permutation(rows)
    start = 0.0
    for name, entry in splits.items():
        stop = start + entry["fraction"]
        if name == split:
            return np.sort(order[round(start * len(order)) : round(stop * len(order))])
        start = stop
    raise KeyError(split)
