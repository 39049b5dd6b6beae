"""The share of ID that a calibrated probability presumes."""

from typing import get_args

import numpy as np

from penumbra.errors import PenumbraError, unknown
from penumbra.options.ranges import Prior

PRIORS = get_args(Prior)


def under(prior: str, q: np.ndarray, n_id: int, n_ood: int) -> np.ndarray:
    """P(ID) (N,) of a map fitted on n_id and n_ood images, under a prior.

    `empirical` is the calibration set's own (Bad-OOD, Algorithm 1), `uniform` calls ID and OOD
    equally likely (its Eq. 20): q / (q + (1 - q)·n_id / n_ood).

    Raises:
        PenumbraError: unknown prior, or a count below 1.
    """
    if prior not in PRIORS:
        raise unknown("prior", prior, PRIORS, "calibration")
    if min(n_id, n_ood) < 1:
        raise PenumbraError(f"calibration: a map fitted on {n_id} ID and {n_ood} OOD images")
    if prior == "empirical":
        return q
    return q / (q + (1 - q) * (n_id / n_ood))
