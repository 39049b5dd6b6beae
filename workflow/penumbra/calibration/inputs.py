"""What a calibration map reads: energies, checked, standardised and as logarithms of the score.

The score of a detector is s = σ(-E) (Bad-OOD, Eq. 6, turned so that larger means more ID). For a
trained detector it is 1 to within rounding, so it is never formed: E is stored, log s and
log(1 - s) come from E.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from penumbra.errors import PenumbraError, unknown

# The detector's output that stands for E; phi is the energy head's logit of "outlier".
COLUMNS = {"sigmoid_energy": "energy", "sigmoid_phi": "phi", "sigmoid_centered": "energy"}


def checked(energy: np.ndarray) -> np.ndarray:
    """Energies (N,) of any float type as float64.

    Raises:
        PenumbraError: they have no single axis, there are none, or some are not finite.
    """
    if energy.ndim != 1:
        raise PenumbraError(f"calibration: energies of shape {energy.shape}; one axis is wanted")
    if not len(energy):
        raise PenumbraError("calibration: no energies; the image set is empty")
    bad = np.flatnonzero(~np.isfinite(energy))
    if len(bad):
        raise PenumbraError(
            f"calibration: {len(bad)} of {len(energy)} energies are not finite, the first at row "
            f"{bad[0]} ({energy[bad[0]]}); the detector has diverged: lower its learning rate"
        )
    return energy.astype(np.float64)


def standardisation(energy: np.ndarray, is_id: np.ndarray, input: str) -> dict[str, list[float]]:
    """`centre` and `scale` of a calibration set (N,), (N,) bool: 0 and 1, unless `input` centres.

    `sigmoid_centered` takes the median and the interquartile range of all its energies.

    Raises:
        PenumbraError: unknown input, bad energies, one class only, or energies that do not vary,
            or too far to be centred.
    """
    if input not in COLUMNS:
        raise unknown("input", input, COLUMNS, "calibration")
    if energy.shape != is_id.shape:
        raise PenumbraError(
            f"calibration: {energy.shape} energies, {is_id.shape} labels; one label an energy"
        )
    energy = checked(energy)
    n_id = int(is_id.sum())
    if n_id in (0, len(is_id)):
        raise PenumbraError(
            f"calibration: {n_id} ID and {len(is_id) - n_id} OOD energies; both are needed: look "
            "at the benchmark's held-out and calibration OOD image sets"
        )
    if energy.min() == energy.max():
        raise PenumbraError(
            f"calibration: all {len(energy)} energies are {energy[0]:g}; the detector tells "
            "nothing apart: look at its training history"
        )
    if input != "sigmoid_centered":
        return {"centre": [0.0], "scale": [1.0]}
    low, median, high = np.quantile(energy, [0.25, 0.5, 0.75])
    if low == high:
        raise PenumbraError(
            f"calibration: half of the energies are {median:g}, so their interquartile range is "
            "0; use the input sigmoid_energy"
        )
    with np.errstate(over="ignore"):
        scale = float(high - low)
    if not np.isfinite(scale):
        raise PenumbraError(
            f"calibration: energies from {energy.min():g} to {energy.max():g} have no finite "
            "interquartile range; the detector has diverged: lower its learning rate"
        )
    return {"centre": [float(median)], "scale": [scale]}


def standardised(energy: np.ndarray, parameters: Mapping[str, Sequence[float]]) -> np.ndarray:
    """(N,) -> (N,) float64: (E - centre) / scale.

    Raises:
        PenumbraError: bad energies.
    """
    return (checked(energy) - parameters["centre"][0]) / parameters["scale"][0]


def log_scores(energy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log s and log(1 - s) of s = σ(-E), exact for every finite E: (N,) -> (N,), (N,)."""
    return -np.logaddexp(0, energy), -np.logaddexp(0, -energy)


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """σ without overflow: (N,) -> (N,)."""
    return np.exp(-np.logaddexp(0, -logit))
