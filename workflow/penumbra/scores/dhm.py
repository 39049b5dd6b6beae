"""Density of features by a flow trained along (DHM, Cao & Zhang 2022; an approximation)."""

from torch import Tensor

from penumbra.networks.layers.flow import Flow
from penumbra.networks.probe import Probe

NEEDS = ("maps",)
LEARNED = "dhm"


def score(probe: Probe, x: Tensor) -> Tensor:
    """log p(z) of penultimate features z, by the method dhm's flow: (n, 3, H, W) -> (n,).

    Raises:
        PenumbraError: the model was trained without a flow.
    """
    return Flow.from_state(probe.fitted).log_density(probe.features(x))
