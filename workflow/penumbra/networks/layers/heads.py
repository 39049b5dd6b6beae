"""Last layers other than a linear one."""

from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.options.head import Head, Similarity

SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)

SMALL = 1e-4  # added to norms, as in the public reproduction; a dead feature has similarity 0


class GodinHead(nn.Module):
    """Generalized ODIN's decomposed confidence (Hsu et al. 2020, Section 3.1): logits h / g.

    h compares features with `weight` (C, D) by cosine, inner product (with `bias`) or negative mean
    squared distance; g = σ(BN(a linear layer of one output)). The paper lets no weight of h decay.

    Raises:
        PenumbraError: there is no such similarity.
    """

    bias: nn.Parameter | None
    undecayed = ("weight", "bias")  # by the optimiser's weight decay

    def __init__(self, width: int, classes: int, similarity: Similarity = Head.similarity):
        super().__init__()
        self.similarity = Head(similarity=similarity).similarity
        self.weight = nn.Parameter(torch.empty(classes, width))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        bias = nn.Parameter(torch.zeros(classes)) if similarity == "inner" else None
        self.register_parameter("bias", bias)
        self.divisor = nn.Sequential(nn.Linear(width, 1), nn.BatchNorm1d(1))

    def h(self, z: Tensor) -> Tensor:
        """Similarity of features (N, D) to each class: (N, C); cosine in [-1, 1], euclid ≤ 0."""
        if self.similarity == "inner":
            return F.linear(z, self.weight, self.bias)
        if self.similarity == "cosine":
            return F.linear(_direction(z), _direction(self.weight))
        # Not by products: |z|² - 2zw + |w|² cancels where z is near w.
        apart = torch.cdist(z, self.weight, compute_mode="donot_use_mm_for_euclid_dist")
        return -apart.square() / z.shape[1]

    def g(self, z: Tensor) -> Tensor:
        """How much an input is of the training domain: features (N, D) -> (N, 1) in (0, 1)."""
        return torch.sigmoid(self.divisor(z))

    def forward(self, z: Tensor) -> Tensor:
        """Logits (N, C) of features (N, D)."""
        return self.h(z) / self.g(z)


def _direction(rows: Tensor) -> Tensor:
    return rows / (torch.linalg.vector_norm(rows, dim=1, keepdim=True) + SMALL)
