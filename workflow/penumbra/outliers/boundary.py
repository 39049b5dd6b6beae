"""Outliers at the boundary of each class in the space of unit-norm embeddings (NPOS).

Tao et al. (2023), Section 3.1: of a class's latest embeddings those whose k-th neighbour is
farthest lie at its boundary; of points drawn around one of them the farthest out is an outlier.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Draw(NamedTuple):
    """How outliers are drawn; see `penumbra.options.methods.catex`."""

    neighbour: int
    boundary: int
    candidates: int
    deviation: float


class Queues:
    """The latest `length` embeddings (D,) of each of C classes, first in, first out."""

    def __init__(self, classes: int, length: int, width: int, device: torch.device):
        self.length = length
        # One place more, for what does not stay: which rows that is, the host would wait to know.
        self.places = torch.zeros(classes, length + 1, width, device=device)
        self.counts = torch.zeros(classes, dtype=torch.int64, device=device)

    @property
    def rows(self) -> Tensor:
        """The embeddings (C, length, D), zeros where there has been none."""
        return self.places[:, : self.length]

    @property
    def are_full(self) -> Tensor:
        """Whether every class has had as many embeddings as its queue holds: () bool."""
        return (self.counts >= self.length).all()

    def add(self, embeddings: Tensor, labels: Tensor) -> None:
        """Put embeddings (n, D) of classes `labels` (n,) in, in their order."""
        of_class = labels[:, None] == torch.arange(len(self.counts), device=labels.device)
        order = of_class.cumsum(0).gather(1, labels[:, None])[:, 0] - 1
        counts = of_class.sum(0)
        # Of more than a queue holds, the first do not stay: two rows would meet in one place.
        stays = order >= counts[labels] - self.length
        places = (self.counts[labels] + order) % self.length
        self.places[labels, torch.where(stays, places, self.length)] = embeddings
        self.counts += counts


def outliers(
    rows: Tensor, towards: Tensor, draw: Draw, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """One outlier of each class, or none: unit-norm (C, D), and 1 or 0 (C,) for whether there is.

    `rows` (C, q, D) are the classes' embeddings. Only candidates on the side of `towards` (C, D)
    count, z · towards > 0; a class without one has no outlier now.
    """
    made = [_of_class(own, to, draw, generator) for own, to in zip(rows, towards, strict=True)]
    points, there = zip(*made, strict=True)
    return torch.stack(points), torch.stack(there)


def _of_class(
    own: Tensor, towards: Tensor, draw: Draw, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The outlier (D,) of a class with embeddings (q, D), and whether it is one ()."""
    edge = at_edge(own, draw.neighbour, draw.boundary)
    chosen = torch.randint(draw.boundary, (1,), generator=generator, device=own.device)
    shape = (draw.candidates, own.shape[1])
    noise = torch.randn(shape, generator=generator, device=own.device)
    points = F.normalize(own[edge[chosen]] + draw.deviation * noise, dim=1)
    is_there = points @ towards > 0
    nearness = nearest(points, own, draw.neighbour).masked_fill(~is_there, torch.inf)
    farthest = points[nearness.argmin(0, keepdim=True)][0]
    return farthest, is_there.any().to(points.dtype)


def at_edge(own: Tensor, neighbour: int, count: int) -> Tensor:
    """The rows (count,) of unit-norm embeddings (q, D) whose k-th neighbours are farthest."""
    # Of unit vectors the nearest has the largest product. An embedding's nearest is itself.
    return nearest(own, own, neighbour + 1).topk(count, largest=False).indices


def nearest(points: Tensor, own: Tensor, k: int) -> Tensor:
    """Cosine (n,) of points (n, D) with the k-th nearest of `own` (q, D); all of length 1."""
    return (points @ own.T).topk(k).values[:, -1]
