"""Beta calibration by the published package betacal, on the score itself: Bad-OOD's Algorithm 1.

`beta` fits the same family from the energies. Here s = σ(-E) is formed in double precision and,
as the package does it, cut off at 2⁻⁵² from 0 and 1: energies below -36 are one score, so that
what lies there gets one probability, and those between are told apart by the last digits of s.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from penumbra.calibration.inputs import sigmoid, standardisation, standardised
from penumbra.calibration.maps.beta import PARAMETERS
from penumbra.errors import unknown
from penumbra.options.ranges import Beta, Energy

EPSILON = np.finfo(np.float64).eps


def fit(
    energy: np.ndarray,
    is_id: np.ndarray,
    input: Energy = "sigmoid_energy",
    parameters: Beta = "abm",
) -> dict[str, list[float]]:
    """a, b and c of betacal's map of energies (N,) with labels (N,) bool.

    `parameters` are the package's own: `abm`, `am`, `ab` or `a`.

    Raises:
        PenumbraError: bad energies or labels, unknown `parameters`.
    """
    if parameters not in PARAMETERS:
        raise unknown("parameters", parameters, PARAMETERS, "calibration betacal")
    centring = standardisation(energy, is_id, input)
    score = sigmoid(-standardised(energy, centring))
    a, b, c = _fitted(score, is_id, parameters)
    return {"a": [float(a)], "b": [float(b)], "c": [float(c)], **centring}


def probability(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """P(ID) of energies: (N,) -> (N,) float64 in [0, 1].

    Raises:
        PenumbraError: bad energies.
    """
    score = sigmoid(-standardised(energy, parameters)).clip(EPSILON, 1 - EPSILON)
    a, b, c = (parameters[key][0] for key in "abc")
    return sigmoid(a * np.log(score) - b * np.log(1 - score) + c)


def _fitted(score: np.ndarray, is_id: np.ndarray, parameters: str) -> tuple[float, float, float]:
    """logit q = a·log s - b·log(1 - s) + c, in the package's own words for each family."""
    from betacal import BetaCalibration  # scikit-learn and scipy.optimize, for a fit alone

    with warnings.catch_warnings():  # the package turns the process's warnings off
        made = BetaCalibration(parameters).fit(score, is_id.astype(int)).calibrator_
    a, b = made.map_[0], made.map_[1]
    if parameters == "abm":
        return a, b, made.lr_.intercept_[0]
    if parameters == "am":
        return a, a, made.lr_.intercept_[0]
    return a, b, (a - b) * np.log(2)  # ab and a go through (1/2, 1/2)
