"""Relative Mahalanobis distance (Ren et al. 2021), of penultimate features."""

import numpy as np

from penumbra.numerics import class_means, class_rows, second_moment, whitening
from penumbra.scores.mahalanobis import nearest

NEEDS = ("features",)
FIT = ("train", "features", "labels")


def fit(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A Gaussian for each class with one covariance, and one for all images, of (N, D), (N,).

    class_mean (C, D) and whitening (D, r) as for the Mahalanobis distance; common_mean (1, D) and
    common_whitening (D, s) of all images, whatever their class.

    Raises:
        PenumbraError: a class without an image, or features that are not finite or do not vary.
    """
    features, labels = arrays["features"], arrays["labels"]
    means = class_means(features, class_rows(labels, "rmds"))
    within = second_moment(features, means, labels)
    shares = np.bincount(labels) / len(labels)
    common = shares @ means
    apart = means - common
    between = (apart.T * shares) @ apart
    return {
        "class_mean": means,
        "whitening": whitening(within, "rmds"),
        "common_mean": common[None],
        "common_whitening": whitening(within + between, "rmds"),
    }


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """-min_c (MD_c(z) - MD_0(z)), Eq. 2, of squared distances: features (N, D) -> (N,)."""
    features = arrays["features"]
    to_class = nearest(features, arrays["class_mean"], arrays["whitening"])
    return nearest(features, arrays["common_mean"], arrays["common_whitening"]) - to_class
