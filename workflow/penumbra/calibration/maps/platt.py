"""Platt scaling: logit q = c - slope·E; what beta calibration becomes where s is saturated."""

from collections.abc import Mapping, Sequence

import numpy as np

from penumbra.calibration import logistic
from penumbra.calibration.inputs import sigmoid, standardisation, standardised
from penumbra.options.ranges import Energy


def fit(
    energy: np.ndarray, is_id: np.ndarray, input: Energy = "sigmoid_energy"
) -> dict[str, list[float]]:
    """slope ≥ 0 and c of the likeliest map of energies (N,) with labels (N,) bool.

    Without Platt's smoothed targets, so that it compares with beta calibration.

    Raises:
        PenumbraError: bad energies or labels.
    """
    centring = standardisation(energy, is_id, input)
    features = -standardised(energy, centring)[:, None]
    (slope,), c = logistic.fit(features, is_id, intercept=True, bounded=True)
    return {"slope": [float(slope)], "c": [c], **centring}


def probability(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """P(ID) of energies: (N,) -> (N,) float64 in [0, 1].

    Raises:
        PenumbraError: bad energies.
    """
    return sigmoid(parameters["c"][0] - parameters["slope"][0] * standardised(energy, parameters))
