"""The noise schedule of the representation diffusion model (RDM) and its DDIM sub-grids.

Time indices count from 0: index t means t + 1 noising steps, and abar[t] is the product of 1 - beta
up to and including t. Arithmetic is in float64; what a checkpoint stores is cast to float32.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.options.guidance import lies_in, no_grid


@dataclass(frozen=True)
class Step:
    """One DDIM step (Song et al. 2021) from index t: abar there, and abar where it leads."""

    t: int
    alpha: float
    alpha_prev: float
    eta: float

    @property
    def variance(self) -> float:
        """The variance of the posterior over the step; that of the fresh noise at eta 1."""
        return (1 - self.alpha_prev) / (1 - self.alpha) * (1 - self.alpha / self.alpha_prev)

    @property
    def sigma(self) -> float:
        """Standard deviation of the fresh noise."""
        return self.eta * math.sqrt(self.variance)

    def implied_noise(self, z: Tensor, x0: Tensor) -> Tensor:
        """The noise that an estimate x0 implies in the state z."""
        return (z / math.sqrt(self.alpha) - x0) / math.sqrt(1 / self.alpha - 1)

    def implied_x0(self, z: Tensor, eps: Tensor) -> Tensor:
        """The inverse: the estimate that a noise implies."""
        return (z - math.sqrt(1 - self.alpha) * eps) / math.sqrt(self.alpha)

    def descend(self, x0: Tensor, eps: Tensor) -> Tensor:
        """The next state, short of its fresh noise sigma · N(0, I)."""
        spread = math.sqrt(1 - self.alpha_prev - self.sigma**2)
        return math.sqrt(self.alpha_prev) * x0 + spread * eps


@dataclass(frozen=True, eq=False)
class Schedule:
    """What follows from `betas` (T,) float64, on the CPU."""

    betas: Tensor

    @classmethod
    def scaled_linear(
        cls, start: float = 0.0015, end: float = 0.0195, steps: int = 1000
    ) -> "Schedule":
        """Square roots of beta are linear from start's to end's; the defaults are the RDM's."""
        ends = math.sqrt(start), math.sqrt(end)
        return cls(torch.linspace(*ends, steps, dtype=torch.float64) ** 2)

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def tables(self) -> dict[str, Tensor]:
        """The 12 tables (T,) of an RDM checkpoint, under their names there, in float64."""
        beta = self.betas
        abar = torch.cumprod(1 - beta, 0)
        previous = torch.cat([torch.ones_like(abar[:1]), abar[:-1]])
        variance = beta * (1 - previous) / (1 - abar)
        return {
            "betas": beta,
            "alphas_cumprod": abar,
            "alphas_cumprod_prev": previous,
            "sqrt_alphas_cumprod": abar.sqrt(),
            "sqrt_one_minus_alphas_cumprod": (1 - abar).sqrt(),
            "log_one_minus_alphas_cumprod": (1 - abar).log(),
            "sqrt_recip_alphas_cumprod": (1 / abar).sqrt(),
            "sqrt_recipm1_alphas_cumprod": (1 / abar - 1).sqrt(),
            "posterior_variance": variance,
            "posterior_log_variance_clipped": variance.clamp(min=1e-20).log(),
            "posterior_mean_coef1": beta * previous.sqrt() / (1 - abar),
            "posterior_mean_coef2": (1 - previous) * (1 - beta).sqrt() / (1 - abar),
        }

    @cached_property
    def _numbers(self) -> dict[str, list[float]]:
        return {name: table.tolist() for name, table in self.tables.items()}

    def at(self, table: str, t: int) -> float:
        """One entry of a table."""
        return self._numbers[table][t]

    def noised(self, x0: Tensor, t: int, eps: Tensor) -> Tensor:
        """The state at index t: x0 after t + 1 noising steps with the unit normal eps."""
        signal = self.at("sqrt_alphas_cumprod", t)
        return signal * x0 + self.at("sqrt_one_minus_alphas_cumprod", t) * eps

    def posterior(self, x0: Tensor, z: Tensor, t: int) -> tuple[Tensor, float]:
        """Mean and variance of the state before z, the one at index t, given x0 (DDPM)."""
        of_x0, of_z = self.at("posterior_mean_coef1", t), self.at("posterior_mean_coef2", t)
        return of_x0 * x0 + of_z * z, self.at("posterior_variance", t)

    def grid(self, count: int, eta: float) -> list[Step]:
        """The published DDIM grid, ascending: every (T // count)-th index, shifted by one.

        Its first step leads to abar[0], not to 1: a sample keeps noise of standard deviation 0.04.
        A count that does not divide T gives more than `count` steps, as published.

        Raises:
            PenumbraError: the shift leaves the schedule, as for 300 of 1,000.
        """
        total = len(self)
        if not lies_in(count, total):
            raise PenumbraError(no_grid(count, total))
        indices = range(1, total + 1, total // count)
        # From the checkpoint's float32 table, as published: that moves a sigma by up to 1e-5.
        abar = self.tables["alphas_cumprod"].float().tolist()
        ends = [0, *indices[:-1]]
        return [Step(t, abar[t], abar[end], eta) for t, end in zip(indices, ends, strict=True)]
