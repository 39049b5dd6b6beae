"""Minority guidance (Um & Ye 2024; Bad-OOD, Eq. 1 and 2): where a representation is unlikely.

The minority score of a state z at index t is the distance between its estimate D(z, t) and what is
found again after the estimate has been noised to index s. Its gradient points to low density.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from penumbra.networks.generative.diffusion import Schedule
from penumbra.options import guidance as options

Estimate = Callable[[Tensor, int], Tensor]  # states (N, R), index t -> estimates of x0 (N, R)

DISTANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda difference: torch.linalg.vector_norm(difference, 1, dim=1),
    "l2": lambda difference: torch.linalg.vector_norm(difference, dim=1),
    "sql2": lambda difference: difference.square().sum(1),
}
TINY = 1e-12  # a gradient of zeros stays one


@dataclass(frozen=True)
class Guidance(options.Guidance):
    """How outlier embeddings are sampled at one scale."""

    @property
    def needs_gradient(self) -> bool:
        """Whether the minority gradient is computed at all: noise scaled to 1 does without."""
        return self.direction == "minority" or (
            self.direction == "gaussian" and self.normalise == "raw"
        )

    def towards(self, gradient: Tensor | None, noise: Tensor | None) -> Tensor:
        """The direction (N, R) of the move, of maximum 1 a sample unless raw.

        `noise` (N, R) takes the gradient's place where the direction is Gaussian.
        """
        if self.direction == "gaussian":
            assert noise is not None
            unit = noise / largest(noise)
            return unit if gradient is None else unit * largest(gradient)
        assert gradient is not None
        return gradient / largest(gradient) if self.normalise == "inf" else gradient


def largest(vectors: Tensor) -> Tensor:
    """The maximum norm (N, 1) of vectors (N, R), never zero."""
    return vectors.abs().amax(1, keepdim=True).clamp(min=TINY)


def minority(
    estimate: Estimate, schedule: Schedule, guidance: Guidance, z: Tensor, t: int, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Estimate of x0 (N, R), minority score (N,) and its gradient (N, R) at states z (N, R).

    `noise` (K, N, R) are the unit normals of the K Monte-Carlo samples whose scores are averaged.
    With `stop_gradient` the second estimate is a constant, as in the code of Um & Ye.
    """
    with torch.enable_grad():
        z = z.detach().requires_grad_(True)
        x0 = estimate(z, t)
        distance = DISTANCES[guidance.distance]
        scores = [distance(x0 - again(estimate, schedule, guidance, x0, eps)) for eps in noise]
        score = torch.stack(scores).mean(0)
        (gradient,) = torch.autograd.grad(score.sum(), z)
    return x0.detach(), score.detach(), gradient


def again(
    estimate: Estimate, schedule: Schedule, guidance: Guidance, x0: Tensor, eps: Tensor
) -> Tensor:
    """x0 (N, R) noised to index s and estimated once more."""
    with torch.set_grad_enabled(not guidance.stop_gradient):
        return estimate(schedule.noised(x0, guidance.perturb, eps), guidance.perturb)
