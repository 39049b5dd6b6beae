"""Accuracy of a model by image set, from its kept logits."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np


def accuracies(
    groups: Iterable[tuple[str, str, np.ndarray, np.ndarray]],
) -> list[dict[str, Any]]:
    """Images and share of right predictions by image set and role, of all and of known classes.

    `groups` of images in any number are (image set, role, labels (n,), logits (n, C)). The label -1
    stands for a class that the model never saw: such an image is wrong.
    """
    counts: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(4, np.int64))
    for name, role, labels, logits in groups:
        right, matched = logits.argmax(1) == labels, labels >= 0
        counts[name, role] += (len(labels), right.sum(), matched.sum(), (right & matched).sum())
    return [
        {
            "image_set": name,
            "role": role,
            "n": int(n),
            "accuracy": float(right / n),
            "n_matched": int(n_matched),
            "matched_accuracy": float(right_matched / n_matched) if n_matched else 0.0,
        }
        for (name, role), (n, right, n_matched, right_matched) in counts.items()
    ]
