"""A prototype of each class among embeddings of unit length (CIDER, Ming et al. 2023)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError


class Prototypes(nn.Module):
    """Embeds features (n, D) by a network of two layers; prototypes (C, P) follow the embeddings.

    They begin at zero, so that a class's first images make its prototype.
    """

    of_class: Tensor

    def __init__(self, width: int, classes: int, projection: int, momentum: float):
        super().__init__()
        layers = nn.Linear(width, width), nn.ReLU(), nn.Linear(width, projection)
        self.projection = nn.Sequential(*layers)
        self.momentum = momentum
        self.register_buffer("of_class", torch.zeros(classes, projection))

    def forward(self, features: Tensor) -> Tensor:
        """Unit-norm embeddings (n, P) of features (n, D)."""
        return F.normalize(self.projection(features), dim=1)

    def moved(self, z: Tensor, y: Tensor) -> Tensor:
        """The prototypes (C, P) after embeddings (n, P) of classes y (n,), with their gradient.

        A class's images follow one another, μ ← m μ + (1 - m) z (CIDER, Eq. 6); μ is brought to
        length 1 after all of them, where CIDER does so after each.
        """
        is_of = torch.arange(len(self.of_class), device=y.device)[:, None] == y
        up_to = is_of.cumsum(1)
        count = up_to[:, -1:]
        share = (1 - self.momentum) * self.momentum ** (count - up_to).float() * is_of
        return F.normalize(self.momentum ** count.float() * self.of_class + share @ z, dim=1)


def dispersion(prototypes: Tensor, temperature: float) -> Tensor:
    """How near prototypes (C, P) are to each other: () (CIDER, Eq. 7).

    Raises:
        PenumbraError: there is one class, which has no other to be near to.
    """
    count = len(prototypes)
    if count < 2:
        raise PenumbraError(
            "prototypes of classes are driven apart, and there is one class; train on two or more, "
            "or by another method"
        )
    cosines = prototypes @ prototypes.T / temperature
    itself = torch.eye(count, dtype=torch.bool, device=prototypes.device)
    return (cosines.masked_fill(itself, -torch.inf).logsumexp(1) - math.log(count - 1)).mean()
