"""Mahalanobis distance after a step of the input towards the nearest class (Lee et al. 2018)."""

import torch
from torch import Tensor

from penumbra.networks.probe import Probe, sign, slope
from penumbra.options.ranges import NotNegative
from penumbra.scores.mahalanobis import fit as fit

NEEDS = ("gradients",)
FIT = ("train", "features", "labels")


def score(probe: Probe, x: Tensor, eps: NotNegative = 0.0014) -> Tensor:
    """-½ min_c (z - μ_c)ᵀ Σ⁺ (z - μ_c) ≤ 0 of x̃ = x - ε · sgn(∇ₓ of that distance): -> (n,).

    Eq. 2 and Section 2.2 for penultimate features z, (n, 3, H, W) -> (n,). ε is a step in units of
    pixels, so it is divided by the inputs' std. Where the gradient is zero its sign counts as +1.
    """
    moved = x - eps * sign(slope(x, lambda inputs: _distance(probe, inputs))) / probe.std
    with torch.no_grad():
        return -_distance(probe, moved).clamp(min=0) / 2


def _distance(probe: Probe, x: Tensor) -> Tensor:
    """Squared distance of features to the nearest class mean: (n,)."""
    means, whitening = probe.fitted["class_mean"], probe.fitted["whitening"]
    centre = means.mean(0)  # the classes lie about it, so little is lost in the difference
    z = (probe.features(x) - centre) @ whitening
    points = (means - centre) @ whitening
    apart = points.square().sum(1) - 2 * z @ points.mT
    return z.square().sum(1) + apart.min(1).values
