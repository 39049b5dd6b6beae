"""Simplified Hopfield energy, of the predicted class's pattern (SHE, Zhang et al. 2023)."""

import numpy as np

from penumbra.numerics import by_rows, class_means, class_rows, finite

NEEDS = ("features", "logits")
FIT = ("train", "features", "logits", "labels")


def fit(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The pattern of each class: the mean features (N, D) of its images that are classified right.

    pattern (C, D). A class none of whose images is classified right has the mean of all its images.

    Raises:
        PenumbraError: a class without an image, or features that are not finite.
    """
    labels, features = arrays["labels"], arrays["features"]
    finite(features, "she")
    is_right = arrays["logits"].argmax(1) == labels
    members = (
        rows[is_right[rows]] if is_right[rows].any() else rows for rows in class_rows(labels, "she")
    )
    return {"pattern": class_means(features, [*members])}


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """z · s of the class with the largest logit: features (N, D), logits (N, C) -> (N,)."""
    pattern = arrays["pattern"]

    def likeness(z: np.ndarray, logits: np.ndarray) -> np.ndarray:
        products = np.einsum("nd,nd->n", z, pattern[logits.argmax(1)])
        return np.where(np.isnan(logits).any(1), np.nan, products)

    return by_rows(likeness, arrays["features"], arrays["logits"])
