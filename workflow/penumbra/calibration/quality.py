"""How far calibrated probabilities are from observed frequencies.

Measured on what the map was fitted on, as in Bad-OOD, quality flatters; `held_out` fits on one half
and measures on the other. Probabilities are those under the empirical prior: a map moved to
another prior is not calibrated on this set.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from penumbra.calibration.draws import draws
from penumbra.errors import PenumbraError, unknown

BINS = 15
BINNINGS = ("width", "mass")


def reliability(q: np.ndarray, is_id: np.ndarray, binning: str = "width") -> list[dict[str, Any]]:
    """The reliability curve of q (N,), labels (N,) bool: one row a bin that is not empty.

    `low`, `high` bound the bin (low < q ≤ high, the first also holds its low); `count`;
    `confidence` is the mean q, `frequency` the share of ID. `width` makes 15 bins of equal width
    (Guo et al. 2017), `mass` bins between the 15-quantiles of q, fewer where q ties.

    Raises:
        PenumbraError: unknown binning, or bad probabilities.
    """
    _check(q, is_id)
    if binning not in BINNINGS:
        raise unknown("binning", binning, BINNINGS, "reliability")
    steps = np.linspace(0, 1, BINS + 1)
    edges = steps if binning == "width" else np.unique(np.quantile(q, steps))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    places = np.maximum(np.searchsorted(edges, q) - 1, 0)
    return [
        {
            "low": float(edges[i]),
            "high": float(edges[i + 1]),
            "count": int((places == i).sum()),
            "confidence": float(q[places == i].mean()),
            "frequency": float(is_id[places == i].mean()),
        }
        for i in np.unique(places)
    ]


def ece(rows: Sequence[Mapping[str, Any]]) -> float:
    """Expected calibration error of a reliability curve: mean |confidence - frequency|."""
    total = sum(row["count"] for row in rows)
    return sum(row["count"] * abs(row["confidence"] - row["frequency"]) for row in rows) / total


def quality(q: np.ndarray, is_id: np.ndarray) -> dict[str, float]:
    """ECE over bins of equal width and mass, Brier score, NLL in nats, of (N,), (N,) bool.

    Raises:
        PenumbraError: bad probabilities.
    """
    _check(q, is_id)
    # As scikit-learn's log loss: a q of exactly 0 or 1 that is wrong costs 36 nats, not infinity.
    likely = np.where(is_id, q, 1 - q).clip(np.finfo(np.float64).eps)
    return {
        "ece_width": ece(reliability(q, is_id, "width")),
        "ece_mass": ece(reliability(q, is_id, "mass")),
        "brier": float(((q - is_id) ** 2).mean()),
        "nll": float(-np.log(likely).mean()),
    }


def held_out(
    keys: Sequence[object],
    energy: np.ndarray,
    is_id: np.ndarray,
    fit: Callable[[np.ndarray, np.ndarray], Mapping[str, Sequence[float]]],
    probability: Callable[[np.ndarray, Mapping[str, Sequence[float]]], np.ndarray],
    seed: int,
) -> dict[str, float]:
    """`quality` on one half of a calibration set of a map fitted on the other; halves by class.

    `keys` (N,) name the samples of energies (N,) and labels (N,) bool, and decide their half.

    Raises:
        PenumbraError: fewer than two samples of a class, or what `fit` refuses.
    """
    fitted = _halves(keys, is_id, seed)
    parameters = fit(energy[fitted], is_id[fitted])
    return quality(probability(energy[~fitted], parameters), is_id[~fitted])


def _halves(keys: Sequence[object], is_id: np.ndarray, seed: int) -> np.ndarray:
    """(N,) bool: the samples of each class with the smaller draws."""
    numbers = draws(keys, seed, "half")
    chosen = np.zeros(len(is_id), dtype=bool)
    for side in (is_id, ~is_id):
        rows = np.flatnonzero(side)
        if len(rows) < 2:
            raise PenumbraError(
                f"calibration: {is_id.sum()} ID and {(~is_id).sum()} OOD samples; two halves need "
                "at least two of each"
            )
        chosen[rows[np.argsort(numbers[rows])][: len(rows) // 2]] = True
    return chosen


def _check(q: np.ndarray, is_id: np.ndarray) -> None:
    if q.shape != is_id.shape or not len(q):
        raise PenumbraError(f"calibration: {q.shape} probabilities, {is_id.shape} labels")
    outside = ~((q >= 0) & (q <= 1))
    if outside.any():
        raise PenumbraError(
            f"calibration: {outside.sum()} of {len(q)} probabilities lie outside [0, 1], the "
            f"first at row {np.flatnonzero(outside)[0]}"
        )
