"""Last layers other than a linear one."""

from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.options.head import Head, Similarity

SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)

SMALL = 1e-4  # added to norms, as in the public reproduction; a dead feature has similarity 0


class SimilarityHead(nn.Module):
    """h compares features with `weight` (C, D).

    By cosine, inner product (with `bias`) or negative mean squared distance.

    Raises:
        PenumbraError: there is no such similarity.
    """

    bias: nn.Parameter | None

    def __init__(self, width: int, classes: int, similarity: Similarity):
        super().__init__()
        self.similarity = Head(similarity=similarity).similarity
        self.weight = nn.Parameter(torch.empty(classes, width))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        bias = nn.Parameter(torch.zeros(classes)) if similarity == "inner" else None
        self.register_parameter("bias", bias)

    def h(self, z: Tensor) -> Tensor:
        """Similarity of features (N, D) to each class: (N, C); cosine in [-1, 1], euclid ≤ 0."""
        if self.similarity == "inner":
            return F.linear(z, self.weight, self.bias)
        if self.similarity == "cosine":
            return F.linear(_direction(z), _direction(self.weight))
        # Not by products: |z|² - 2zw + |w|² cancels where z is near w.
        apart = torch.cdist(z, self.weight, compute_mode="donot_use_mm_for_euclid_dist")
        return -apart.square() / z.shape[1]


class GodinHead(SimilarityHead):
    """Generalized ODIN's decomposed confidence (Hsu et al. 2020, Section 3.1): logits h / g.

    g = σ(BN(a linear layer of one output)). The paper lets no weight of h decay.

    Raises:
        PenumbraError: there is no such similarity.
    """

    undecayed = ("weight", "bias")  # by the optimiser's weight decay

    def __init__(self, width: int, classes: int, similarity: Similarity = Head.similarity):
        super().__init__(width, classes, similarity)
        self.divisor = nn.Sequential(nn.Linear(width, 1), nn.BatchNorm1d(1))

    def g(self, z: Tensor) -> Tensor:
        """How much an input is of the training domain: features (N, D) -> (N, 1) in (0, 1)."""
        return torch.sigmoid(self.divisor(z))

    def forward(self, z: Tensor) -> Tensor:
        """Logits (N, C) of features (N, D)."""
        return self.h(z) / self.g(z)


class ScaledHead(SimilarityHead):
    """Logits scale · h; with the cosine the head of DML+'s first network (Zhang & Xiang 2023)."""

    def __init__(self, width: int, classes: int, similarity: Similarity, scale: float):
        super().__init__(width, classes, similarity)
        self.scale = scale

    def forward(self, z: Tensor) -> Tensor:
        """Logits (N, C) of features (N, D)."""
        return self.scale * self.h(z)


def build(
    width: int,
    classes: int,
    similarity: Similarity = Head.similarity,
    scale: float | None = Head.scale,
) -> SimilarityHead:
    """The head that a recipe's `head` names, for features of a width.

    Raises:
        PenumbraError: there is no such similarity, or the scale is not positive.
    """
    Head(similarity=similarity, scale=scale)
    if scale is None:
        return GodinHead(width, classes, similarity)
    return ScaledHead(width, classes, similarity, scale)


def _direction(rows: Tensor) -> Tensor:
    return rows / (torch.linalg.vector_norm(rows, dim=1, keepdim=True) + SMALL)
