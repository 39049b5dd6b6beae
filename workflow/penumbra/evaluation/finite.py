"""Scores that must not be used."""

import numpy as np

from penumbra.errors import PenumbraError


def check(scores: np.ndarray, what: str) -> None:
    """Refuse NaN and empty sets; infinities are legal and count by rank.

    Raises:
        PenumbraError: naming `what` and how many scores are bad.
    """
    if not len(scores):
        raise PenumbraError(f"{what}: no scores; the image set is empty")
    bad = int(np.isnan(scores).sum())
    if bad:
        first = int(np.flatnonzero(np.isnan(scores))[0])
        raise PenumbraError(
            f"{what}: {bad} of {len(scores)} scores are NaN, the first at image {first}"
        )
