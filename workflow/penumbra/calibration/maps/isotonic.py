"""Isotonic regression: the likeliest q that never falls as the score rises; a step function."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from penumbra.calibration.inputs import standardisation, standardised
from penumbra.options.ranges import Energy


def fit(
    energy: np.ndarray, is_id: np.ndarray, input: Energy = "sigmoid_energy"
) -> dict[str, list[float]]:
    """The steps' ends -E (`thresholds`, ascending) and q there, of energies (N,), labels (N,) bool.

    Raises:
        PenumbraError: bad energies or labels.
    """
    centring = standardisation(energy, is_id, input)
    map_ = IsotonicRegression(increasing=True, out_of_bounds="clip")
    map_.fit(-standardised(energy, centring), is_id.astype(np.float64))
    steps = {"thresholds": map_.X_thresholds_.tolist(), "q": map_.y_thresholds_.tolist()}
    return {**steps, **centring}


def probability(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """P(ID) of energies: (N,) -> (N,) float64 in [0, 1]; linear between steps, constant beyond.

    Raises:
        PenumbraError: bad energies.
    """
    score = -standardised(energy, parameters)
    return np.interp(score, parameters["thresholds"], parameters["q"])
