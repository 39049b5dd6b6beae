"""A calibration map fitted to a detector's energies, applied to all rows, and how good it is."""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from penumbra.calibration.prior import under
from penumbra.calibration.quality import held_out, quality, reliability
from penumbra.errors import PenumbraError

LEAST_RANGE = 1e-3  # of P(ID) over the calibration images; a map below says nothing
HELD_OUT, OOD, OUTLIER = "heldout", "calibration_ood", "outlier"  # roles of rows


def calibrated(
    calibration: ModuleType,
    energies: np.ndarray,
    roles: np.ndarray,
    config: Mapping[str, Any],
    seed: int,
) -> tuple[np.ndarray, dict[str, Any]]:
    """P(ID) of all rows (N,), and the map's parameters, its quality and reliability.

    `calibration` is a module of `calibration/maps`; it is fitted on held-out ID and real OOD rows
    of `energies` (N,) (badood, Algorithm 1), and applied to outliers, too. `roles` (N,) say which
    each row is, `config` the map's input, prior and options.

    Raises:
        PenumbraError: the map gives all images the same P(ID), or what its module refuses.
    """
    seen, is_id = roles != OUTLIER, roles == HELD_OUT
    fit = partial(calibration.fit, input=config["input"], **config.get("options", {}))
    parameters = fit(energies[seen], is_id[seen])
    probabilities = calibration.probability(energies, parameters)
    _check_that_it_tells(probabilities[seen], energies[seen], is_id[seen])
    n_id, n_ood = int(is_id.sum()), int((roles == OOD).sum())
    keys = [f"{role}/{i}" for i, role in enumerate(roles[seen])]
    summary = {
        "parameters": parameters,
        "n_id": n_id,
        "n_ood": n_ood,
        "quality": quality(probabilities[seen], is_id[seen]),
        "held_out": held_out(keys, energies[seen], is_id[seen], fit, calibration.probability, seed),
        "reliability": reliability(probabilities[seen], is_id[seen]),
    }
    return under(config["prior"], probabilities, n_id, n_ood), summary


def _check_that_it_tells(q: np.ndarray, energies: np.ndarray, is_id: np.ndarray) -> None:
    """Refuse a constant map: of all that it then filters, it keeps everything or nothing."""
    if np.ptp(q) >= LEAST_RANGE:
        return
    from sklearn.metrics import roc_auc_score  # half a second, for this message alone

    told = roc_auc_score(is_id, -energies)
    raise PenumbraError(
        f"calibration: the map gives every image P(ID) = {q.mean():.3g}. The detector's AUROC of "
        f"held-out ID against calibration OOD images is {told:.3f}; below 0.5 its energies are "
        "inverted. Train it otherwise (its recipe's lr, epochs, energy.beta), or, if that is high, "
        "give the map another input: sigmoid_centered or sigmoid_phi"
    )
