"""Outliers in the tails of Gaussians of one covariance, one about each class's mean (VOS).

Du et al. (2022), Section 3.1: features of a class that its Gaussian has least likely made. As in
their code these are the least likely of many draws (10,000); here that many need not be made. A
draw is μ + L ε, of likelihood exp(-|ε|²/2) up to a factor, so the least likely has the largest |ε|,
in a direction that does not depend on it. The largest of N values of |ε|², which follow a χ²
distribution, have quantiles that are known, and so are drawn alone.
"""

import torch
import torch.nn.functional as F
from scipy.special import gammainccinv
from torch import Tensor

RIDGE = 1e-4  # added to the covariance's diagonal, as in VOS's code


def outliers(rows: Tensor, candidates: int, kept: int, generator: torch.Generator) -> Tensor:
    """The `kept` least likely of so many draws of each class: (C · kept, D), class by class.

    `rows` (C, q, D) are the classes' features. Draws are made by a generator on the CPU, so that
    they are the same on every device. All are NaN where the covariance is not positive definite in
    the features' precision.
    """
    classes, _, width = rows.shape
    lengths = radii(classes, candidates, kept, width, generator)
    drawn = torch.randn(classes, kept, width, generator=generator)
    noise = (F.normalize(drawn, dim=2) * lengths[..., None]).to(rows)
    return (rows.mean(1, keepdim=True) + noise @ _root(rows).T).flatten(0, 1)


def radii(
    classes: int, candidates: int, kept: int, width: int, generator: torch.Generator
) -> Tensor:
    """The `kept` largest norms of so many standard normal vectors (D,): float32 (C, kept), falling.

    The largest of N uniform numbers is one to the power of 1/N, and the next the same of those
    below it, N - 1.
    """
    uniform = torch.rand(classes, kept, generator=generator, dtype=torch.float64)
    left = candidates - torch.arange(kept)
    above = -torch.expm1((uniform.log() / left).cumsum(1))  # the share of draws beyond
    return torch.from_numpy(2 * gammainccinv(width / 2, above.numpy())).sqrt().float()


def _root(rows: Tensor) -> Tensor:
    """L (D, D) with L Lᵀ the covariance of the features about their classes' means."""
    apart = (rows - rows.mean(1, keepdim=True)).flatten(0, 1)
    covariance = (apart.T @ apart / len(apart)).double()
    covariance.diagonal().add_(RIDGE)
    root, failed = torch.linalg.cholesky_ex(covariance)
    return torch.where(failed == 0, root, torch.nan).to(rows)
