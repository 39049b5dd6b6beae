"""ODIN: temperature and a step of the input towards confidence (Liang et al. 2018)."""

import torch
from torch import Tensor

from penumbra.networks.probe import Probe, sign
from penumbra.options.ranges import NotNegative, Positive

NEEDS = ("gradients",)


def score(
    probe: Probe, x: Tensor, temperature: Positive = 1000.0, eps: NotNegative = 0.0014
) -> Tensor:
    """max softmax(l(x̃) / T) of x̃ = x - ε · sgn(∇ₓ CE(l / T, ŷ)): (n, 3, H, W) -> (n,).

    Eq. 1 and 2 with ŷ the predicted class; in [1/C, 1]. ε is a step in units of pixels, so it is
    divided by the inputs' std. Where the gradient is zero its sign counts as +1 (OpenOOD).
    """

    def surprise(logits: Tensor) -> Tensor:
        return -torch.log_softmax(logits / temperature, 1).max(1).values

    moved = x - eps * sign(probe.gradient(x, surprise)) / probe.std
    with torch.no_grad():
        # In float64: at T = 1000 the probabilities of all images lie close together.
        return torch.softmax(probe.logits(moved).double() / temperature, 1).amax(1)
