"""RankFeat + RankWeight: the last weights and map without rank-1 parts (Song et al. 2024)."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from penumbra.errors import PenumbraError
from penumbra.networks.probe import Probe
from penumbra.scores.rankfeat import stripped, without_rank1

NEEDS = ("maps",)
FIT = ("train", "maps")  # of the network's weights alone: no image is read
MODEL = "model."


def fit(probe: Probe, batches: Iterable[Tensor]) -> dict[str, Tensor]:
    """RankWeight: the last two convolutions without the rank-1 part of their (C_out, C_in·k·k).

    To rounding, where the official code takes 100 power iterations from a random start. It strips
    the last two convolutions of a bottleneck; a network of other blocks gives its own last two.

    Returns:
        The stripped weights by `model.` and their names in the network.

    Raises:
        PenumbraError: the network does not end in convolutions, or has no levels.
    """
    model = probe.model
    if not model.last_weights:
        raise PenumbraError(
            f"scorer rfw: {type(model).__name__} has no last convolutions to strip; score it by "
            "rankfeat"
        )
    if not model.levels:
        raise PenumbraError(f"scorer rfw: {type(model).__name__} has no levels to strip")
    weights = {}
    for name in model.last_weights:
        weight = model.get_parameter(name).detach()
        rest = without_rank1(weight.flatten(1).double()).view_as(weight)
        weights[MODEL + name] = rest.to(weight.dtype)
    return weights


def score(probe: Probe, x: Tensor) -> Tensor:
    """logsumexp of the logits with the last map and the last weights stripped: -> (n,)."""
    return functional_call(_LastStage(probe), probe.fitted, (x,))


class _LastStage(nn.Module):
    """RankFeat of the last level alone, as a module whose weights can be put in for one call."""

    def __init__(self, probe: Probe):
        super().__init__()
        self.probe, self.model = probe, probe.model

    def forward(self, x: Tensor) -> Tensor:
        level = self.model.levels[-1]
        maps = self.probe.outputs_of(x, (level,))[level]
        return torch.logsumexp(self.probe.onward(level, stripped(maps)), 1)
