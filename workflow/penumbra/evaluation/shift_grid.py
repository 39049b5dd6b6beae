"""Scores over a grid of semantic and covariate shift (badood, Figures 5-8)."""

import re
from collections.abc import Sequence

import numpy as np

from penumbra.errors import PenumbraError

CELL = re.compile(r"cov_(\d+)_sem_(\d+)")


def cell_means(values: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Mean of values (N,) in every cell: (S, C), row = semantic level, column = covariate level.

    A label (N,) is a place in `classes`, whose names are those of the cells: cov_<c>_sem_<s>.

    Raises:
        PenumbraError: a class is no cell, or a cell of the grid has no images.
    """
    places = np.array([_place(name) for name in classes])
    counts = np.zeros(places.max(0) + 1, np.int64)
    sums = np.zeros(counts.shape)
    at = tuple(places[labels].T)
    np.add.at(counts, at, 1)
    np.add.at(sums, at, values)
    if not counts.all():
        semantic, covariate = np.argwhere(counts == 0)[0]
        raise PenumbraError(
            f"shift grid: no images of cov_{covariate}_sem_{semantic}; the image set must hold "
            "every pair of levels"
        )
    return sums / counts


def _place(name: str) -> tuple[int, int]:
    match = CELL.fullmatch(name)
    if match is None:
        raise PenumbraError(
            f"shift grid: class {name!r} is no cell cov_<level>_sem_<level>; is it another image "
            "set?"
        )
    covariate, semantic = map(int, match.groups())
    return semantic, covariate


def rescaled(means: np.ndarray) -> np.ndarray:
    """To [0, 1] by the smallest and largest of all cells; 0 where all are equal."""
    spread = np.ptp(means)
    return (means - means.min()) / (spread or 1)


def trends(means: np.ndarray) -> tuple[float, float]:
    """Spearman's rank correlation of cell means with the semantic and with the covariate level.

    NaN where all cells are equal.
    """
    semantic, covariate = np.indices(means.shape)
    return spearman(means.ravel(), semantic.ravel()), spearman(means.ravel(), covariate.ravel())


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation of (N,) with (N,), ties at their mean rank; NaN where one is constant."""
    x, y = (ranks - ranks.mean() for ranks in (_ranks(x), _ranks(y)))
    size = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / size) if size else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
