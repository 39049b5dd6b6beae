"""Which scores are accepted: a threshold from held-out ID scores, and how sure its recall is."""

import math
from fractions import Fraction
from numbers import Real

import numpy as np
from scipy.special import betaincinv

from penumbra.errors import PenumbraError

LEVEL = 0.95  # of the interval of the true recall


def check_tpr(tpr: float) -> None:
    """Refuse a share of ID images that is none.

    Raises:
        PenumbraError: it is no number between 0 and 1.
    """
    if not isinstance(tpr, Real) or not 0 < tpr < 1:
        told = f"{tpr:g}" if isinstance(tpr, Real) else repr(tpr)
        raise PenumbraError(
            f"TPR {told}: the share of ID images that is accepted lies between 0 and 1, as in 0.95"
        )


def rank(count: int, tpr: float) -> int:
    """How many of `count` held-out images are accepted at least: ⌈tpr · count⌉.

    The product is that of the number as it is printed: 0.07 of 100 are 7.

    Raises:
        PenumbraError: as `check_tpr`.
    """
    check_tpr(tpr)
    return math.ceil(Fraction(str(tpr)) * count)


def threshold(heldout: np.ndarray, tpr: float) -> float:
    """The k-th largest of n held-out ID scores (n,), k = ⌈tpr · n⌉: scores at or above are ID.

    It is the largest threshold that accepts a share of at least `tpr` of these images. Of a further
    image of the same kind the chance to be accepted is at least k / (n + 1), whatever the
    distribution of scores (the rank of the newcomer is uniform); on these very images it is not
    `tpr` exactly (see `recall`).

    Raises:
        PenumbraError: as `check_tpr`.
    """
    place = len(heldout) - rank(len(heldout), tpr)
    return float(np.partition(heldout, place)[place])


def recall(count: int, tpr: float) -> tuple[float, float, float]:
    """Mean and 95 % interval of the true share of ID images that such a threshold accepts.

    Over draws of the `count` held-out images it follows Beta(k, n + 1 - k) where scores do not tie,
    and is larger where they do (Vovk, "Conditional validity of inductive conformal predictors",
    2012).
    """
    k = rank(count, tpr)
    miss = (1 - LEVEL) / 2
    low, high = (float(betaincinv(k, count + 1 - k, end)) for end in (miss, 1 - miss))
    return k / (count + 1), low, high
