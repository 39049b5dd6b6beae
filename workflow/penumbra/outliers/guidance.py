"""Minority guidance (Um & Ye 2024; Bad-OOD, Eq. 1 and 2): where a representation is unlikely.

The minority score of a state z at index t is the distance between its estimate D(z, t) and what is
found again after the estimate has been noised to index s. Its gradient points to low density.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.diffusion import Schedule

Estimate = Callable[[Tensor, int], Tensor]  # states (N, R), index t -> estimates of x0 (N, R)

DISTANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "l1": lambda difference: torch.linalg.vector_norm(difference, 1, dim=1),
    "l2": lambda difference: torch.linalg.vector_norm(difference, dim=1),
    "sql2": lambda difference: difference.square().sum(1),
}
CHOICES = {
    "direction": ("minority", "gaussian", "none"),
    "mode": ("trajectory", "oneshot"),
    "update": ("fixed", "var", "score"),
    "normalise": ("inf", "raw"),
    "distance": tuple(DISTANCES),
}
LIMITS = {"scale": 0, "start": 0, "grid": 1, "eta": 0, "every": 1, "perturb": 0, "samples": 1}
TINY = 1e-12  # a gradient of zeros stays one


@dataclass(frozen=True)
class Guidance:
    """How outlier embeddings are sampled: the keys of an outlier recipe.

    An anchor is noised to index `start`, or the grid's nearest, and denoised by DDIM on a grid of
    `grid` steps; every `every`-th grid step also moves the state by `scale` along the direction:
    the minority gradient, or Gaussian noise of the same maximum (Bad-OOD, Table 6). `update` scales
    the move by nothing (fixed) or the step's posterior variance (var), or shifts the noise estimate
    instead (score). `oneshot` moves once, at `start` itself, and ends with the estimate there.
    """

    scale: float
    direction: str = "minority"
    mode: str = "trajectory"
    start: int = 300
    grid: int = 250
    eta: float = 0.0
    update: str = "fixed"
    normalise: str = "inf"
    every: int = 1
    perturb: int = 125
    samples: int = 1
    distance: str = "l2"
    stop_gradient: bool = True

    def __post_init__(self) -> None:
        for key, valid in CHOICES.items():
            if getattr(self, key) not in valid:
                raise unknown(key, getattr(self, key), valid, "guidance")
        for key, low in LIMITS.items():
            if not getattr(self, key) >= low:
                raise PenumbraError(f"guidance: {key} is {getattr(self, key)}, not at least {low}")
        if self.eta > 1:
            raise PenumbraError(f"guidance: eta is {self.eta}; DDIM's noise ends at eta 1")
        if self.mode == "oneshot" and self.update != "fixed":
            raise PenumbraError(
                f"guidance: update {self.update!r} needs the steps of a trajectory; take mode "
                "trajectory, or update fixed"
            )

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
