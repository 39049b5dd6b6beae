"""Many outliers at the boundary of one class in a space of unit-norm embeddings (Dream-OOD).

Du et al. (2023), Section 3.2: of a class's embeddings those whose k-th neighbour is farthest lie at
its boundary; of points drawn around such a one the farthest out are outliers. Rounds of draws are
independent, so that any of them can be made alone.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.options.kinds.dream import Sampling
from penumbra.outliers.boundary import at_edge, nearest
from penumbra.seeds import derive


@dataclass(frozen=True)
class Edge:
    """A class's embeddings `own` (q, D), and which of them (b,) lie at its boundary.

    `neighbour` is the k by which that was told, and `chosen` are drawn of them in a round.
    """

    own: Tensor
    rows: Tensor
    neighbour: int
    chosen: int


def edge(own: Tensor, how: Sampling, name: str) -> Edge:
    """The boundary of a class, called `name` in errors, by its unit-norm embeddings (q, D).

    Raises:
        PenumbraError: the class has too few embeddings.
    """
    share = len(own) / how.queue
    neighbour, boundary, chosen = (
        max(1, round(share * count)) for count in (how.neighbour, how.boundary, how.chosen)
    )
    if len(own) <= neighbour:
        raise PenumbraError(
            f"class {name}: {len(own)} training images have no boundary, for which two at least "
            "are needed; leave the class out, or take more images"
        )
    return Edge(own, at_edge(own, neighbour, boundary), neighbour, chosen)


def drawn(around: Edge, how: Sampling, seed: int, turn: int) -> tuple[Tensor, Tensor]:
    """One round: unit-norm outliers (chosen · kept, D), and the embedding (…,) each was drawn at.

    The draws are those of the class's `seed` and of the round's number `turn` alone, on the CPU.
    """
    generator = torch.Generator().manual_seed(derive(seed, "boundary", turn))
    order = torch.randperm(len(around.rows), generator=generator)[: around.chosen]
    rows = around.rows[order.to(around.rows.device)]
    points = []
    for row in rows:
        noise = torch.randn(how.candidates, around.own.shape[1], generator=generator)
        start = around.own[row]
        near = F.normalize(start + how.deviation * noise.to(start.device), dim=1)
        nearness = nearest(near, around.own, around.neighbour)
        points.append(near[nearness.topk(how.kept, largest=False).indices])
    return torch.cat(points), rows.repeat_interleave(how.kept)
