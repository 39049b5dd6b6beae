"""Categories of outliers by the class recognised in them (badood, section 4.3 and Table 3)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from penumbra.errors import PenumbraError

COVARIATE, SEMANTIC, SEVERE = 1, 2, 3  # OOD-I, OOD-II, OOD-III


def categories(probabilities: np.ndarray, anchors: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) of 1, 2, 3 from class probabilities (N, C) and the anchors' places in them (N,).

    OOD-III where no class reaches the threshold, OOD-I where the likeliest class is the anchor's,
    OOD-II where it is another. An anchor's class that is not among the C has place -1. The paper
    says only that CLIP decides; the threshold is this project's.
    """
    likeliest = probabilities.argmax(1)
    kinds = np.where(likeliest == anchors, COVARIATE, SEMANTIC)
    return np.where(probabilities.max(1) < threshold, SEVERE, kinds)


def categorised(
    recogniser: ModuleType,
    pixels: np.ndarray,
    labels: np.ndarray,
    own: Sequence[str],
    weights: Path | None,
    config: Mapping[str, Any],
) -> dict[str, np.ndarray | list[str]]:
    """`category` of outliers uint8 (N, 3, H, W), the class `recognised`, its `probability`: (N,).

    `labels` (N,) are the anchors' places in the benchmark's `own` classes, -1 of outliers without
    a class, which are never OOD-I. `recogniser`, a module
    of `outliers/recognisers`, offers `classes` of `config`, or the benchmark's where they are null.

    Raises:
        PenumbraError: it offers none of the benchmark's classes.
    """
    offered = config["classes"] or own
    probabilities, classes = recogniser.probabilities(pixels, offered, weights, config)
    if set(own).isdisjoint(classes):
        raise PenumbraError(
            f"categories: none of the classes {', '.join(own[:5])} … is among the {len(classes)} "
            "that are recognised; name them alike (categories.clip.classes_file)"
        )
    # Behind them stands the place of no class, which the label -1 counts from the end.
    places = np.array([*(classes.index(name) if name in classes else -1 for name in own), -1])
    return {
        "category": categories(probabilities, places[labels], config["threshold"]),
        "recognised": [classes[i] for i in probabilities.argmax(1)],
        "probability": probabilities.max(1).astype(np.float64),
    }
