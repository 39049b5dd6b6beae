"""Detection by one scorer: metrics of each OOD image set against the test set, and their draws."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from penumbra.evaluation.compared import Compared
from penumbra.evaluation.metrics import bounds, measured, metrics
from penumbra.evaluation.resampling import image_draws

Row = dict[str, Any]


def detection(
    scorer: str, scores: Mapping[str, np.ndarray], roles: Mapping[str, str]
) -> Iterator[tuple[Row, Row]]:
    """By OOD image set: metrics of the scorer with bounds, and those of resamples, each (DRAWS,).

    `scores` (n,) and `roles` (one test, shifted, ood) are by image set.

    Raises:
        PenumbraError: a set is empty or holds NaN.
    """
    (test,) = (name for name, role in roles.items() if role == "test")
    shifted = [name for name, role in roles.items() if role == "shifted"]
    for ood in (name for name, role in roles.items() if role == "ood"):
        moved = np.concatenate([scores[name] for name in shifted]) if shifted else None
        named = {"scorer": scorer, "image_set": ood}
        counts = {"n_id": len(scores[test]), "n_ood": len(scores[ood])}
        measures = metrics(scores[test], scores[ood], f"{scorer} on {ood}", moved)
        measures |= bounds(scores[test], scores[ood])
        yield {**named, **counts, **measures}, {**named, **_draws(scores, test, shifted, ood)}


def _draws(
    scores: Mapping[str, np.ndarray], test: str, shifted: list[str], ood: str
) -> dict[str, np.ndarray]:
    def compared(names: list[str]) -> Compared:
        """Images of these ID sets against the OOD set, each set drawn from itself."""
        of_id = np.concatenate([image_draws(name, len(scores[name])) for name in names], axis=1)
        drawn = of_id, image_draws(ood, len(scores[ood]))
        together = np.concatenate([scores[name] for name in names])
        return Compared(together, scores[ood], ood, drawn)

    plain = compared([test])
    return measured(plain, compared([test, *shifted]) if shifted else plain)
