"""Maximum softmax probability after temperature scaling (Guo et al. 2017)."""

from typing import Literal

import numpy as np

from penumbra.errors import PenumbraError, unknown
from penumbra.numerics import by_rows, class_first, max_softmax, slices

NEEDS = ("logits",)
FIT = ("heldout", "logits", "labels")

# Bounds of T over the root mean square of the logits' deviations from each image's mean.
LOWEST, HIGHEST = 1e-3, 1e3
STEPS = 200


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """max_j softmax(l / T)_j: logits (N, C), temperature (1,) -> (N,) in [1/C, 1]."""
    (temperature,) = arrays["temperature"].tolist()
    return by_rows(lambda logits: max_softmax(class_first(logits), temperature), arrays["logits"])


def fit(
    arrays: dict[str, np.ndarray], *, search: Literal["optimum", "lbfgs50"] = "optimum"
) -> dict[str, np.ndarray]:
    """The temperature (1,) that makes the labels (N,) likeliest, given logits (N, C).

    `search` is "optimum", or "lbfgs50" for what the published code returns: 50 steps of L-BFGS
    from T = 1.5 at rate 0.01, which stop before the optimum.

    Raises:
        PenumbraError: no finite T > 0 is likeliest, a label is unknown, or there is no such search.
    """
    if search not in SEARCHES:
        raise unknown("search", search, SEARCHES, "temperature")
    if len(arrays["labels"]) == 0 or arrays["labels"].min() < 0:
        raise PenumbraError(
            "temperature: it is fitted on images whose classes the model knows; name such ones"
        )
    return {"temperature": np.array([SEARCHES[search](arrays["logits"], arrays["labels"])])}


def _derivatives(logits: np.ndarray, labels: np.ndarray, beta: float) -> np.ndarray:
    """Mean loss of logits · β, its slope in β and its curvature: (3,) float64."""
    total = np.zeros(3)
    for block in slices(*logits.shape):
        columns = np.ascontiguousarray(logits[block].T, dtype=np.float64)
        columns -= columns[labels[block], np.arange(columns.shape[1])]  # l - l_y
        top = columns.max(0)
        weight = np.exp(beta * (columns - top))
        mass = weight.sum(0)
        weight /= mass
        mean = (weight * columns).sum(0)
        variance = (weight * (columns - mean) ** 2).sum(0)
        loss = beta * top + np.log(mass)
        total += loss.sum(), mean.sum(), variance.sum()
    return total / len(logits)


def _optimum(logits: np.ndarray, labels: np.ndarray) -> float:
    """Newton's method on the slope in β = 1/T, in which the loss is convex, within a bracket."""
    spread = float(np.sqrt(logits.var(1, dtype=np.float64).mean()))
    if not 0 < spread < np.inf:
        raise PenumbraError(
            f"temperature: the logits of its {len(logits)} images have no spread over classes "
            f"({spread}), so every T is as good; look at the model"
        )
    low, high = 1 / (HIGHEST * spread), 1 / (LOWEST * spread)
    _check_bracket(logits, labels, low, high)
    beta = np.sqrt(low * high)
    for _ in range(STEPS):
        _, slope, curvature = _derivatives(logits, labels, beta)
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = slope / curvature if curvature > 0 else np.inf
        if abs(step) <= 1e-13 * beta or high <= low * (1 + 1e-14):
            break
        beta = beta - step if low < beta - step < high else np.sqrt(low * high)
    return float(1 / beta)


def _check_bracket(logits: np.ndarray, labels: np.ndarray, low: float, high: float) -> None:
    if _derivatives(logits, labels, low)[1] >= 0:
        raise PenumbraError(
            "temperature: the logits tell its labels no better than chance, so T is best at "
            "infinity; look at the model and at the labels of the images of its fit"
        )
    if _derivatives(logits, labels, high)[1] <= 0:
        raise PenumbraError(
            f"temperature: all {len(labels)} images of its fit are classified right, so T is best "
            "at 0; fit on more images, which were not trained on"
        )


def _lbfgs50(logits: np.ndarray, labels: np.ndarray) -> float:
    """In one dimension the two-loop recursion leaves the last pair alone: a secant of the slope."""
    temperature, inverse = 1.5, 1.0
    step = before = 0.0
    for count in range(50):
        _, slope, _ = _derivatives(logits, labels, 1 / temperature)
        slope *= -1 / temperature**2  # in T
        if count and (slope - before) * step > 1e-10:
            inverse = step / (slope - before)
        rate = 0.01 if count else 0.01 * min(1.0, 1 / max(abs(slope), 1e-300))
        step, before = -rate * inverse * slope, slope
        if abs(slope) <= 1e-7 or abs(step) <= 1e-9:
            break
        temperature += step
        if not 0 < temperature < np.inf:
            raise PenumbraError(
                "temperature: the published search left T > 0; fit with search: optimum"
            )
    return temperature


SEARCHES = {"optimum": _optimum, "lbfgs50": _lbfgs50}
