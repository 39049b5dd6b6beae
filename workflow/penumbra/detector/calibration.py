"""P(ID) of a score of any scale, from held-out ID and calibration OOD images.

The maps of `calibration/` read the sigmoid of an energy, which for most scores is 0 or 1 to within
rounding: squared distances go into the thousands, probabilities crowd below 1. So a score is first
replaced by its mid-rank u in (0, 1) among all calibration scores, interpolated linearly, and beta
calibration is fitted to u: logit q = a·log u - b·log(1 - u) + c with a, b ≥ 0 (Kull et al. 2017).
The map never falls as the score rises, is the same for every rising function of a score, and says
beyond the calibration scores what it says at their ends, where nothing is known.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from penumbra.calibration.fitted import LEAST_RANGE
from penumbra.calibration.maps import beta
from penumbra.calibration.prior import under
from penumbra.calibration.quality import held_out, quality
from penumbra.errors import PenumbraError

KNOTS = "knots"  # among the parameters: the calibration scores and their mid-ranks


def knots(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones of calibration scores (n,), ascending, and their mid-ranks in (0, 1)."""
    distinct, counts = np.unique(known, return_counts=True)
    return distinct, (np.cumsum(counts) - counts / 2) / len(known)


def energies(scores: np.ndarray, ranks: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """-logit u of scores (N,) among the calibration scores: (N,), falling with the score."""
    u = np.interp(scores, *ranks)
    return np.log1p(-u) - np.log(u)


def fit(scores: np.ndarray, is_id: np.ndarray) -> dict[str, Any]:
    """The likeliest map of scores (n,) with labels (n,) bool; it keeps the scores' ranks.

    Raises:
        PenumbraError: not both labels are there, or the scores are all equal or not finite.
    """
    if not np.isfinite(scores).all():
        raise PenumbraError("some scores of the calibration images are infinite")
    if np.ptp(scores) == 0:
        raise PenumbraError(f"all scores of the calibration images are {scores[0]:g}")
    ranks = knots(scores)
    return {**beta.fit(energies(scores, ranks), is_id), KNOTS: ranks}


def probability(scores: np.ndarray, parameters: Mapping[str, Any]) -> np.ndarray:
    """P(ID) of scores (N,) under the calibration images' own share of ID: (N,) in [0, 1]."""
    return beta.probability(energies(scores, parameters[KNOTS]), parameters)


def calibrate(of_id: np.ndarray, of_ood: np.ndarray, seed: int) -> dict[str, Any]:
    """Parameters of the map of ID scores (n,) and OOD scores (m,), and how good it is.

    `quality` is measured on the scores of the fit, `held_out` on halves that a map fitted on the
    others has not seen (`calibration/quality.py`).

    Raises:
        PenumbraError: no map can be fitted, or it gives all images the same P(ID); says why.
    """
    scores = np.concatenate([of_id, of_ood])
    is_id = np.arange(len(scores)) < len(of_id)
    parameters = fit(scores, is_id)
    q = probability(scores, parameters)
    if np.ptp(q) < LEAST_RANGE:
        raise PenumbraError(
            f"its scores do not tell held-out ID from calibration OOD images: every image would "
            f"get P(ID) = {q.mean():.3g}"
        )
    half = held_out(range(len(scores)), scores, is_id, fit, probability, seed)
    return {
        "parameters": {key: value for key, value in parameters.items() if key != KNOTS},
        "quality": quality(q, is_id),
        "held_out": half,
    }


class Probability:
    """P(ID) where ID and OOD images are equally likely.

    `of_id` (n,) and `of_ood` (m,) are the scores that the map of these parameters was fitted on.
    Their numbers are an accident of the data sets, so that their share is not taken for the one in
    use. They bound what is said: by the rule of succession n + m images that no error is among
    leave it a chance of 1 / (n + m + 2), whatever a curve says where they do not overlap.
    """

    def __init__(self, of_id: np.ndarray, of_ood: np.ndarray, parameters: Mapping[str, Any]):
        self._parameters = {**parameters, KNOTS: knots(np.concatenate([of_id, of_ood]))}
        self._counts = len(of_id), len(of_ood)

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Of scores (N ≥ 1,): (N,), at least 1 / (n + m + 2) away from 0 and 1."""
        q = under("uniform", probability(scores, self._parameters), *self._counts)
        least = 1 / (sum(self._counts) + 2)
        return q.clip(least, 1 - least)
