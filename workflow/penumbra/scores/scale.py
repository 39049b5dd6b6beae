"""Energy of scaled activations (SCALE, Xu et al. 2023)."""

from typing import Annotated

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import by_rows, logsumexp
from penumbra.options.ranges import Bound

NEEDS = ("features", "head")
Pruned = Annotated[float, Bound(0, 100, open_high=True)]  # percent of the units


def score(arrays: dict[str, np.ndarray], percentile: Pruned = 85.0) -> np.ndarray:
    """logsumexp(W (z · exp(r)) + b), r = Σz / Σ(top-k z), Eq. 6 and 7: features (N, D) -> (N,).

    k = D - round(D · percentile / 100); no entry is pruned. Where the top k add up to 0, as those
    of an image without an active unit do, z is not scaled.

    Raises:
        PenumbraError: the percentile leaves none of the D units, or more than all, or exp(r) is no
            number, as where units of both signs nearly add up to 0.
    """
    weight, bias, features = arrays["weight"], arrays["bias"], arrays["features"]
    cut = units_below(features.shape[1], percentile, "scale")

    def of_rows(z: np.ndarray) -> np.ndarray:
        peak = np.partition(z, cut, axis=1)[:, cut:].sum(1) if cut else z.sum(1)
        return energy(weight, bias, z, ratios(z, peak), "scale")

    return by_rows(of_rows, features)


def units_below(width: int, percentile: float, who: str) -> int:
    """How many of `width` units lie below the percentile.

    Raises:
        PenumbraError: all of them, or fewer than none; `who` is the scorer.
    """
    cut = round(width * percentile / 100)
    if not 0 <= cut < width:
        raise PenumbraError(
            f"{who}: percentile {percentile:g} keeps {width - cut} of {width} units; choose one "
            "between 0 and 100 that keeps some"
        )
    return cut


def ratios(features: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """Sums of features (n, D) over those of the largest, `peak` (n,): (n,); 0 where that is 0."""
    return np.divide(features.sum(1), peak, out=np.zeros_like(peak), where=peak != 0)


def energy(
    weight: np.ndarray, bias: np.ndarray, features: np.ndarray, ratio: np.ndarray, who: str
) -> np.ndarray:
    """logsumexp(W (z · exp(r)) + b): weight (C, D), bias (C,), features (n, D), ratio (n,) -> (n,).

    Raises:
        PenumbraError: finite features give logits that are not; `who` is the scorer.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        logits = (weight @ features.T) * np.exp(ratio) + bias[:, None]
    lost = ~np.isfinite(logits).all(0) & np.isfinite(features).all(1)  # a NaN of these stays one
    if lost.any():
        raise PenumbraError(
            f"{who}: scaled by exp({ratio[lost].max():g}), features give logits that are not "
            "finite; it is for features after a ReLU, and where units have both signs their "
            "largest may add up to next to nothing: leave the scorer out"
        )
    return logsumexp(logits)
