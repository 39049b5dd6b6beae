"""A calibration map fitted to a detector's energies, applied to all rows, and how good it is."""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from penumbra.calibration.prior import under
from penumbra.calibration.quality import held_out, quality, reliability

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
    """
    seen, is_id = roles != OUTLIER, roles == HELD_OUT
    fit = partial(calibration.fit, input=config["input"], **config.get("options", {}))
    parameters = fit(energies[seen], is_id[seen])
    probabilities = calibration.probability(energies, parameters)
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
