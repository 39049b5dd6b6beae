"""Edit-friendly inversion of images into a diffusion model's noise (Huberman-Spiegelglas 2024).

Section 3.2: an image is noised to every step's level independently; the noise of a step is what
leads from its latents to those of the next. With these noises sampling gives the image back.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor

from penumbra.errors import PenumbraError


class Grid(NamedTuple):
    """Time steps of DDIM, the noisiest first, with ᾱ of each and of the one that follows it."""

    steps: list[int]
    alphas: list[float]
    following: list[float]


def grid(schedule: dict[str, Any], steps: int) -> Grid:
    """`steps` time steps of the schedule of a pipeline's scheduler.

    Raises:
        PenumbraError: its network does not estimate noise.
    """
    if schedule.get("prediction_type", "epsilon") != "epsilon":
        raise PenumbraError(
            f"Stable Diffusion: this pipeline's U-Net estimates {schedule['prediction_type']}, and "
            "inversion needs one that estimates noise (epsilon), such as stable-diffusion-2-base"
        )
    scheduler = DDIMScheduler.from_config(schedule)
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps.tolist()
    alphas = [float(scheduler.alphas_cumprod[t]) for t in times]
    return Grid(times, alphas, [*alphas[1:], float(scheduler.final_alpha_cumprod)])


@dataclass(frozen=True)
class Move:
    """One DDIM step with η = 1 from ᾱ to ᾱ': x' = mean(x, ε) + deviation · z."""

    alpha: float
    following: float

    @property
    def deviation(self) -> float:
        """σ of the step's own noise."""
        share = (1 - self.following) / (1 - self.alpha)
        return (share * (1 - self.alpha / self.following)) ** 0.5

    def mean(self, x: Tensor, noise: Tensor) -> Tensor:
        """Where latents x (n, C, S, S) with estimated `noise` go on average."""
        clean = (x - (1 - self.alpha) ** 0.5 * noise) / self.alpha**0.5
        towards = max(1 - self.following - self.deviation**2, 0.0) ** 0.5
        return self.following**0.5 * clean + towards * noise


def noised(clean: Tensor, alpha: float, noise: Tensor) -> Tensor:
    """Latents (n, C, S, S) at the level ᾱ of noise."""
    return alpha**0.5 * clean + (1 - alpha) ** 0.5 * noise
