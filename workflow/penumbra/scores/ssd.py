"""Mahalanobis distance of normalised features (SSD, Sehwag et al. 2021)."""

from typing import Literal, get_args

import numpy as np

from penumbra.errors import unknown
from penumbra.numerics import by_rows, class_rows, second_moment, unit, whitening

NEEDS = ("features",)
FIT = ("train", "features", "labels")
Clusters = Literal["one", "labels"]


def fit(arrays: dict[str, np.ndarray], *, clusters: Clusters = "one") -> dict[str, np.ndarray]:
    """Gaussians of z/‖z‖, each unit over its standard deviation: features (N, D), labels (N,).

    `clusters`: "one" Gaussian for all images, or one for each class, with its own covariance
    ("labels"). centre (K, D); whitening (K, D, D), the scale of the units within: its product with
    its transpose is the pseudo-inverse of a cluster's covariance.

    Raises:
        PenumbraError: no such clusters, a class without an image, features that are not finite or
            do not vary.
    """
    if clusters not in get_args(Clusters):
        raise unknown("clusters", clusters, get_args(Clusters), "ssd")
    points = unit(arrays["features"])
    centre = points.mean(0, dtype=np.float64)
    covariance = second_moment(points, centre)
    scale = np.sqrt(covariance.diagonal()) + 1e-10
    if clusters == "one":
        return {"centre": centre[None], "whitening": _scaled(covariance, scale)[None]}
    groups = [points[rows] for rows in class_rows(arrays["labels"], "ssd")]
    centres = [group.mean(0, dtype=np.float64) for group in groups]
    maps = [
        _scaled(second_moment(group, centre), scale)
        for group, centre in zip(groups, centres, strict=True)
    ]
    return {"centre": np.stack(centres), "whitening": np.stack(maps)}


def _scaled(covariance: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The whitening (D, D) of points that are still to be scaled; columns beyond the rank are 0."""
    matrix = np.zeros_like(covariance)
    columns = whitening(covariance / np.outer(scale, scale), "ssd")
    matrix[:, : columns.shape[1]] = columns / scale[:, None]
    return matrix


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """-min over clusters of the squared Mahalanobis distance: features (N, D) -> (N,) ≤ 0."""

    def nearest(features: np.ndarray) -> np.ndarray:
        points = unit(features)
        distances = np.full(len(points), np.inf)
        for centre, white in zip(arrays["centre"], arrays["whitening"], strict=True):
            distances = np.minimum(distances, (((points - centre) @ white) ** 2).sum(1))
        return -distances

    return by_rows(nearest, arrays["features"])
