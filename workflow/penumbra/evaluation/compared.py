"""Scores of ID and OOD images against each other: what lies beyond each threshold."""

import functools
from typing import Any

import numpy as np

from penumbra.evaluation.finite import check

Counts = tuple[np.ndarray, np.ndarray]  # by threshold, how many of two sets lie beyond it


class Compared:
    """Scores of ID and of OOD images, (n,) and (m,), and what lies beyond each of their values.

    `drawn` are how often each image is drawn in each of B resamples, (B, n) and (B, m); all counts
    then have B in front.

    Raises:
        PenumbraError: a set is empty or holds NaN.
    """

    def __init__(
        self,
        id_scores: np.ndarray,
        ood_scores: np.ndarray,
        what: str = "scores",
        drawn: tuple[np.ndarray, np.ndarray] | None = None,
    ):
        check(id_scores, f"{what}, ID")
        check(ood_scores, f"{what}, OOD")
        self.id, self.ood, self._drawn = id_scores, ood_scores, drawn

    @functools.cached_property
    def accepted(self) -> Counts:
        """How many ID and OOD images are accepted, at each threshold from the highest down."""
        scores = np.concatenate([self.id, self.ood]).astype(np.float64)
        order = np.argsort(-scores)
        scores = scores[order]
        # Comparison, not difference: inf - inf is no number.
        ends = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
        once = np.ones(len(scores), np.int64)
        counts = once if self._drawn is None else np.concatenate(self._drawn, axis=1)
        counts = np.take(counts, order, axis=-1)
        true = np.take(np.cumsum(counts * (order < len(self.id)), axis=-1), ends, axis=-1)
        return true, np.take(np.cumsum(counts, axis=-1), ends, axis=-1) - true

    @functools.cached_property
    def flagged(self) -> Counts:
        """How many OOD and ID images are flagged, at each threshold from the lowest up."""
        true, false = self.accepted
        return _from_below(false), _from_below(true)

    @functools.cached_property
    def means(self) -> tuple[Any, Any]:
        """Mean score of the ID and of the OOD images."""
        if self._drawn is None:
            return self.id.mean(), self.ood.mean()
        of_id, of_ood = self._drawn
        with np.errstate(invalid="ignore"):  # an infinite score that is not drawn
            return of_id @ self.id / len(self.id), of_ood @ self.ood / len(self.ood)


def _from_below(counts: np.ndarray) -> np.ndarray:
    """How many lie at or below each threshold, from the lowest up, of how many at or above it."""
    whole = counts[..., -1:]
    return (whole - np.concatenate([np.zeros_like(whole), counts[..., :-1]], -1))[..., ::-1]
