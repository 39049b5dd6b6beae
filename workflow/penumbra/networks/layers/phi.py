"""phi of the energy regulariser (Du et al. 2022; Bad-OOD, Eq. 4): a classifier of one number."""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError, unknown

ID = 1  # the index of phi's logit for ID; that for outliers is 0
SIZES = {"linear": (1, 2), "mlp512": (1, 512, 2)}


def build(kind: str, monotone: bool) -> nn.Sequential:
    """lse (N, 1) -> two logits (N, 2), linear or through 512 hidden units.

    A monotone phi starts as one: its units add up, so that each is made smaller by √units for the
    slope of a free draw.

    Raises:
        PenumbraError: the kind is neither `linear` nor `mlp512`.
    """
    if kind not in SIZES:
        raise unknown("phi", kind, SIZES, "recipe")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES[kind]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    network = nn.Sequential(*layers[:-1])
    if monotone:
        with torch.no_grad():
            last = last_weight(network)
            last /= last.shape[1] ** 0.5
        make_monotone(network)
    return network


@torch.no_grad()
def make_monotone(network: nn.Sequential) -> None:
    """The least change of the last weights after which "outlier" never falls with the energy.

    A unit that pulls the wrong way gets the mean of its two weights, and so no say.
    """
    first, last = next(network.parameters())[:, 0], last_weight(network)
    rises = torch.ones_like(last[0]) if len(network) == 1 else first.sign()
    wrong = (last[ID] - last[1 - ID]) * rises < 0
    last.copy_(torch.where(wrong, last.mean(0), last))


def last_weight(network: nn.Sequential) -> Tensor:
    """Weights (2, units) of the two logits."""
    return [p for p in network.parameters() if p.ndim == 2][-1]


def phi_logit(tensors: Mapping[str, Tensor], energy: Tensor) -> Tensor:
    """Logit of "outlier", phi_0(lse) - phi_1(lse), of energies E = -lse (N,): (N,).

    `tensors` are a finished checkpoint's; arithmetic is in the precision of `energy`.

    Raises:
        PenumbraError: the checkpoint has no phi.
    """
    layers = sorted(name for name in tensors if name.startswith("phi.") and name.endswith("weight"))
    if not layers:
        raise PenumbraError(
            "the checkpoint has no phi; train the model by a recipe of method energy"
        )
    x = -energy[:, None]
    for i, name in enumerate(layers):
        weight, bias = tensors[name], tensors[name.removesuffix("weight") + "bias"]
        x = F.linear(x.relu() if i else x, weight.to(energy), bias.to(energy))
    return x[:, 1 - ID] - x[:, ID]
