"""Outliers around the boundary of each class in the space of unit-norm features (NPOS).

Tao et al. (2023), Section 3.1, with several points of the boundary, and several outliers of each.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.outliers.boundary import at_edge, nearest


class Draw(NamedTuple):
    """How outliers are drawn; see `penumbra.options.methods.npos`."""

    neighbour: int
    boundary: int
    points: int
    candidates: int
    outliers: int
    deviation: float


def outliers(rows: Tensor, draw: Draw, generator: torch.Generator) -> Tensor:
    """Unit-norm outliers (C · points · outliers, D) of classes' features `rows` (C, q, D)."""
    return torch.cat([_of_class(own, draw, generator) for own in rows])


def _of_class(own: Tensor, draw: Draw, generator: torch.Generator) -> Tensor:
    """The outliers (points · outliers, D) of a class with features (q, D)."""
    edge = at_edge(own, draw.neighbour, draw.boundary)
    order = torch.randperm(draw.boundary, generator=generator, device=own.device)
    shape = (draw.points, draw.candidates, own.shape[1])
    noise = torch.randn(shape, generator=generator, device=own.device)
    around = F.normalize(own[edge[order[: draw.points]]][:, None] + draw.deviation * noise, dim=2)
    nearness = nearest(around.flatten(0, 1), own, draw.neighbour).unflatten(0, shape[:2])
    farthest = nearness.topk(draw.outliers, largest=False).indices
    return around.gather(1, farthest[..., None].expand(-1, -1, shape[2])).flatten(0, 1)
