"""Mahalanobis distance to the nearest class (Lee et al. 2018), of penultimate features."""

import numpy as np

from penumbra.numerics import by_rows, class_means, class_rows, second_moment, whitening

NEEDS = ("features",)
FIT = ("train", "features", "labels")


def fit(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Class means and the covariance that all classes share, of features (N, D), labels (N,).

    class_mean (C, D), and whitening (D, r) whose product with its transpose is the pseudo-inverse
    of the biased within-class covariance of rank r (Eq. 1).

    Raises:
        PenumbraError: a class without an image, or features that are not finite or do not vary.
    """
    features, labels = arrays["features"], arrays["labels"]
    means = class_means(features, class_rows(labels, "mahalanobis"))
    covariance = second_moment(features, means, labels)
    return {"class_mean": means, "whitening": whitening(covariance, "mahalanobis")}


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """-min_c (z - μ_c)ᵀ Σ⁺ (z - μ_c), Eq. 2, without input noise: features (N, D) -> (N,) ≤ 0."""
    return -nearest(arrays["features"], arrays["class_mean"], arrays["whitening"])


def nearest(features: np.ndarray, means: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Squared distances to the nearest of the means (C, D): features (N, D) -> (N,)."""
    centre = means.mean(0)  # the classes lie about it, so little is lost in the difference
    points = (means - centre) @ whitening
    sizes = (points**2).sum(1)[:, None]

    def distance(z: np.ndarray) -> np.ndarray:
        white = (z - centre) @ whitening
        own = np.einsum("nd,nd->n", white, white)
        return own + (sizes - 2 * (points @ white.T)).min(0)

    return np.maximum(by_rows(distance, features), 0)
