"""Beta calibration (Kull et al. 2017; Bad-OOD, Eq. 7): logit q = a·log s - b·log(1 - s) + c.

Bad-OOD fits σ(E) and calls the result a probability of ID; here s = σ(-E) and y = 1 for ID, which
is the same map read from the other side: μ(1 - s; a, b, c) = 1 - μ(s; b, a, -c).
"""

from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np

from penumbra.calibration import logistic
from penumbra.calibration.inputs import log_scores, sigmoid, standardisation, standardised
from penumbra.errors import unknown
from penumbra.options.ranges import Beta, Energy

PARAMETERS = get_args(Beta)

# With all energies beyond this on one side, log s (or log(1 - s)) is less than 0.0025 throughout,
# and the likeliest third parameter, in the thousands, describes the noise of a few images.
SATURATED = 6.0


def fit(
    energy: np.ndarray,
    is_id: np.ndarray,
    input: Energy = "sigmoid_energy",
    parameters: Beta = "abm",
) -> dict[str, list[float]]:
    """a, b and c of the likeliest map of energies (N,) with labels (N,) bool.

    `parameters` are betacal's: `abm` all three, `am` with a = b, `ab` with μ(1/2) = 1/2, `a` with
    both. a, b ≥ 0, so that q never falls as the score rises, but for `ab`, which is free there.
    Saturated energies (all beyond 6 on one side) give `abm` the two parameters of `am`.

    Raises:
        PenumbraError: bad energies or labels, unknown `parameters`.
    """
    if parameters not in PARAMETERS:
        raise unknown("parameters", parameters, PARAMETERS, "calibration beta")
    centring = standardisation(energy, is_id, input)
    energy = standardised(energy, centring)
    log_s, log_rest = log_scores(energy)
    features = np.stack([log_s, -log_rest], 1)
    saturated = energy.max() <= -SATURATED or energy.min() >= SATURATED
    if parameters == "abm" and not saturated:
        (a, b), c = logistic.fit(features, is_id, intercept=True, bounded=True)
    elif parameters == "ab":
        doubled = features + np.log(2) * np.array([1, -1])
        (a, b), _ = logistic.fit(doubled, is_id, intercept=False, bounded=False)
        c = (a - b) * np.log(2)
    else:  # log s - log(1 - s) = -E
        slopes, c = logistic.fit(-energy[:, None], is_id, intercept=parameters != "a", bounded=True)
        a = b = slopes[0]
    return {"a": [float(a)], "b": [float(b)], "c": [float(c)], **centring}


def probability(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """P(ID) of energies: (N,) -> (N,) float64 in [0, 1].

    Raises:
        PenumbraError: bad energies.
    """
    log_s, log_rest = log_scores(standardised(energy, parameters))
    a, b, c = (parameters[key][0] for key in "abc")
    return sigmoid(a * log_s - b * log_rest + c)
