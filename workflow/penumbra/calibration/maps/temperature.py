"""Temperature scaling of the binary logit: q = σ(-E / T), without an offset.

Where all energies are negative every q is above 1/2: a band below it stays empty, which is a
property of the map (Bad-OOD, Table 5).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from penumbra.calibration import logistic
from penumbra.calibration.inputs import sigmoid, standardisation, standardised
from penumbra.errors import PenumbraError
from penumbra.options.ranges import Energy

# Bounds of T over the energies' root mean square. The likeliest T is infinite where the sign of E
# contradicts the labels on the whole, e.g. with all energies negative and most images OOD; the
# bound keeps the order of the energies in q.
LOWEST, HIGHEST = 1e-6, 1e6
LARGEST = 1e150  # of energies; squares of larger ones overflow


def fit(
    energy: np.ndarray, is_id: np.ndarray, input: Energy = "sigmoid_energy"
) -> dict[str, list[float]]:
    """The likeliest T > 0 (`temperature`) of energies (N,) with labels (N,) bool.

    Raises:
        PenumbraError: bad energies or labels, or energies beyond LARGEST.
    """
    centring = standardisation(energy, is_id, input)
    energy = standardised(energy, centring)
    if np.abs(energy).max() > LARGEST:
        raise PenumbraError(
            f"calibration: energies of up to {np.abs(energy).max():g} have no squares; the "
            "detector has diverged: lower its learning rate"
        )
    size = np.sqrt((energy**2).mean())
    (slope,), _ = logistic.fit(-energy[:, None] / size, is_id, intercept=False, bounded=True)
    relative = np.clip(slope, 1 / HIGHEST, 1 / LOWEST)
    return {"temperature": [float(size / relative)], **centring}


def probability(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """P(ID) of energies: (N,) -> (N,) float64 in [0, 1].

    Raises:
        PenumbraError: bad energies.
    """
    return sigmoid(-standardised(energy, parameters) / parameters["temperature"][0])
