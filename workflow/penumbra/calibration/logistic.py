"""Maximum likelihood of the logistic regressions that the calibration maps consist of.

Own Newton steps, because the data ask for more than scipy's and scikit-learn's stopping rules
give: saturated energies make columns of size 1e-13, and classes that do not overlap leave a
likelihood whose maximum a stopping rule would choose.
"""

from itertools import combinations

import numpy as np

from penumbra.calibration.inputs import sigmoid
from penumbra.errors import PenumbraError

# The penalty of the betacal package (1/C): 1/2 RIDGE ‖slopes‖² beside the summed loss. Ordinary
# data do not feel it; classes that do not overlap get finite slopes from it.
RIDGE = 1e-11
STEPS = 200
TOLERANCE = 1e-12
SMALLEST = 2.0**-200  # share of a step; ordinary data need a few halvings
# Beyond it one image of 1e10 ends the search before the others have a say, and squares overflow.
LARGEST = 1e8


def fit(
    features: np.ndarray, is_id: np.ndarray, *, intercept: bool, bounded: bool
) -> tuple[np.ndarray, float]:
    """Slopes (P,) and intercept of logit P(ID) = features · slopes + intercept, from (N, P), (N,).

    `bounded` keeps the slopes from falling below 0: each face of the bounds is solved, and the
    likeliest solution within them is the constrained optimum, since the problem is convex.

    Raises:
        PenumbraError: no convergence, or features beyond LARGEST.
    """
    _check_size(features)
    count = features.shape[1]
    ones = np.ones((len(features), 1))
    sizes = range(count, -1, -1) if bounded else [count]
    solutions = []
    for kept in (kept for size in sizes for kept in combinations(range(count), size)):
        columns = [features[:, list(kept)], *([ones] if intercept else [])]
        weights, loss = _newton(np.concatenate(columns, 1), is_id, penalised=len(kept))
        if not bounded or (weights[: len(kept)] >= 0).all():
            slopes = np.zeros(count)
            slopes[list(kept)] = weights[: len(kept)]
            solutions.append((loss, slopes, float(weights[-1]) if intercept else 0.0))
    _, slopes, constant = min(solutions, key=lambda solution: solution[0])
    return slopes, constant


def _newton(x: np.ndarray, is_id: np.ndarray, penalised: int) -> tuple[np.ndarray, float]:
    """Damped Newton on (N, Q); the first `penalised` weights carry the ridge."""
    x = np.where(is_id[:, None], x, -x)
    ridge = np.where(np.arange(x.shape[1]) < penalised, RIDGE, 0)
    weights = np.zeros(x.shape[1])
    loss = _loss(x, ridge, weights)
    for _ in range(STEPS):
        # P(wrong class); near 0 it keeps its relative precision.
        wrong = sigmoid(-(x @ weights))
        gradient = ridge * weights - x.T @ wrong
        hessian = (x.T * (wrong * (1 - wrong))) @ x + np.diag(ridge)
        step = _solve(hessian, gradient)
        decrement = float(gradient @ step)
        if decrement <= TOLERANCE * loss:
            return weights - step, loss
        size = 1.0
        while _loss(x, ridge, weights - size * step) > loss - 1e-4 * size * decrement:
            size /= 2
            if size < SMALLEST:
                raise _endless(x)
        weights = weights - size * step
        loss = _loss(x, ridge, weights)
    raise _endless(x)


def _check_size(features: np.ndarray) -> None:
    """Refuse what the search would not end on, or end on too early."""
    if not (np.abs(features) <= LARGEST).all():
        raise PenumbraError(
            f"calibration: energies give features from {features.min():g} to {features.max():g}, "
            f"and maps are fitted to those within ±{LARGEST:g}; the detector has diverged: lower "
            "its learning rate; or leave the images of such energies out"
        )


def _endless(x: np.ndarray) -> PenumbraError:
    return PenumbraError(
        f"calibration: no convergence in {STEPS} Newton steps; features from {x.min():g} to "
        f"{x.max():g}: look at the energies of the calibration set"
    )


def _loss(x: np.ndarray, ridge: np.ndarray, weights: np.ndarray) -> float:
    penalty = 0.5 * ridge @ weights**2
    return float(np.logaddexp(0, -(x @ weights)).sum() + penalty)


def _solve(hessian: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """The Newton step; directions in which the likelihood is flat are left alone."""
    scale = np.sqrt(np.diag(hessian))
    scaled = hessian / np.outer(scale, scale)
    return np.linalg.lstsq(scaled, gradient / scale, rcond=1e-13)[0] / scale
