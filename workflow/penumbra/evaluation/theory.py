"""What Lemmas 1 and 2 of the UAT paper speak of, measured on features and the last layer.

Features z (n, D) and labels (n,) are of ID images. The label -1 is of a class that the model never
saw: such an image is left out. W (C, D) and b (C,) are the last layer's weights and biases. Means
over classes are over those that have images.
"""

import numpy as np

from penumbra.errors import PenumbraError


def theory(
    features: np.ndarray, labels: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> dict[str, float]:
    """How features and weights of a class agree, how far classes lie apart, and the assumptions.

    * `alignment`, of Lemma 1: mean over images of cos(z, W_y), in [-1, 1]; of a zero feature, 0.
    * `within_variance`, `mean_distance` and `intra_inter`: see `separation`.
    * `weight_cosine`, of Lemma 2: mean over pairs of cos(W_k, W_j), in [-1, 1]. The angle β_kj of
      Eq. 12 is that of a feature of class k and W_j; by Lemma 1 this feature points where W_k does.
    * `weight_spread`, taken for 0 in Eq. 11: standard deviation of ‖W_k‖ over its mean.
    * `bias_difference`, taken for small in Eq. 12: the largest b_k - b_j.

    Raises:
        PenumbraError: fewer than two classes have images, their mean features are the same, or the
            weights of a class are all 0.
    """
    classes = _classes(labels)
    lengths = np.linalg.norm(weight[classes].astype(np.float64), axis=1)
    if not lengths.all():
        dead = classes[lengths == 0][0]
        raise PenumbraError(f"all weights of class {dead} are 0 in the last layer: it has no angle")
    towards = weight[classes] / lengths[:, None]
    cosines = [
        _cosines(features[labels == label], direction)
        for label, direction in zip(classes, towards, strict=True)
    ]
    return {
        "alignment": float(np.concatenate(cosines).mean()),
        **separation(features, labels),
        "weight_cosine": float((towards @ towards.T)[_pairs(len(classes))].mean()),
        "weight_spread": float(lengths.std() / lengths.mean()),
        "bias_difference": float(np.ptp(bias[classes].astype(np.float64))),
    }


def separation(features: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How far images lie from the mean μ of their class, and these means from each other.

    * `within_variance`, of Lemma 1: mean over images of ‖z - μ_y‖².
    * `mean_distance`, of Lemma 2: mean over pairs of classes of ‖μ_k - μ_j‖.
    * `intra_inter`: mean over images of ‖z - μ_y‖, over `mean_distance`. It stays when all features
      grow by a factor.

    Raises:
        PenumbraError: fewer than two classes have images, or their mean features are the same.
    """
    means, squares = [], []
    for label in _classes(labels):
        own = features[labels == label].astype(np.float64)
        means.append(own.mean(0))
        squares.append(((own - means[-1]) ** 2).sum(1))
    centres, within = np.stack(means), np.concatenate(squares)
    first, second = _pairs(len(centres))
    between = np.linalg.norm(centres[first] - centres[second], axis=1).mean()
    if not between:
        raise PenumbraError(
            "all classes have the same mean feature: the network tells none apart; train it "
            "otherwise (lr, epochs)"
        )
    return {
        "within_variance": float(within.mean()),
        "mean_distance": float(between),
        "intra_inter": float(np.sqrt(within).mean() / between),
    }


def _classes(labels: np.ndarray) -> np.ndarray:
    classes = np.unique(labels[labels >= 0])
    if len(classes) < 2:
        raise PenumbraError(
            f"the images are of {len(classes)} of the model's classes; two at least have a distance"
        )
    return classes


def _pairs(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Both places of every pair of `count` things."""
    first, second = np.triu_indices(count, 1)
    return first, second


def _cosines(features: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Cosines (n,) of features (n, D) and a direction (D,) of length 1; 0 for features of zeros."""
    features = features.astype(np.float64)
    lengths = np.linalg.norm(features, axis=1)
    along = features @ direction
    return np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0)
