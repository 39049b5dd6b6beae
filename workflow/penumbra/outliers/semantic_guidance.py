"""SONA's outliers: ID images whose class gives way to another one, and whose rest stays.

Yoon et al. (2025): an image is inverted, and denoised anew from a step that is drawn. Guidance as
of SEGA (Brack et al. 2023) adds its class outside the region where the class is seen, takes it away
within, and adds a concept that is no ID class there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from penumbra.networks.generative.stable_diffusion import StableDiffusion
from penumbra.options.kinds.sona import Decoding, Guidance
from penumbra.outliers.generators import to_uint8
from penumbra.outliers.inversion import Move, grid, noised
from penumbra.outliers.text_to_image import check_finite, estimate, sized
from penumbra.seeds import derive


class Task(NamedTuple):
    """What an outlier is made of: the prompts of its image's class and of the new concept."""

    own: str
    other: str
    seed: int


def start_of(seed: int, steps: int) -> int:
    """The step, counted from pure noise, at which an outlier's denoising begins: uniform."""
    return int(np.random.default_rng(derive(seed, "start")).integers(steps))


@torch.inference_mode()
def edited(
    model: StableDiffusion, images: np.ndarray, tasks: Sequence[Task], how: Decoding
) -> np.ndarray:
    """A batch of ID images uint8 (n, 3, H, W) -> outliers uint8 (n, 3, size, size).

    Outlier i depends on image i and task i alone.

    Raises:
        PenumbraError: latents are not finite.
    """
    large = sized(images, model.side * model.scale)
    clean = model.encode(torch.from_numpy(large).to(model.device).float() / 127.5 - 1)
    latents = _Run(model, clean, tasks, how.guidance, how.precision == "bfloat16").denoised()
    check_finite(latents)
    return sized(to_uint8(model.decode(latents)).cpu().numpy(), how.size)


class _Run:
    """A batch of latents (n, 4, S, S) on their way through the grid."""

    def __init__(
        self,
        model: StableDiffusion,
        clean: Tensor,
        tasks: Sequence[Task],
        how: Guidance,
        lowered: bool,
    ):
        self.model, self.clean, self.how, self.lowered = model, clean, how, lowered
        self.empty, self.own, self.other = (
            model.contexts(texts)
            for texts in (
                [""] * len(tasks),
                [task.own for task in tasks],
                [task.other for task in tasks],
            )
        )
        self.starts = [start_of(task.seed, how.steps) for task in tasks]
        # On the CPU whatever the device is, so that draws do not depend on it. Each step has its
        # own, so that no outlier's depend on where others start.
        self.seeds = [task.seed for task in tasks]
        self.grid = grid(model.schedule, how.steps)

    def denoised(self) -> Tensor:
        """The latents after the last step; those that have not begun are left out of the work."""
        latents = torch.empty_like(self.clean)
        momentum = torch.zeros_like(self.clean)
        level = self._noised(0)
        for index in range(self.how.steps):
            begin = [i for i, start in enumerate(self.starts) if start == index]
            latents[begin] = level[begin]
            on = [i for i, start in enumerate(self.starts) if start <= index]
            following = self._noised(index + 1)
            if on:
                moved = self._step(index, latents[on], level[on], following[on], momentum[on], on)
                latents[on], momentum[on] = moved
            level = following
        return latents

    def _noised(self, index: int) -> Tensor:
        """The images at the noise of a step of the grid; behind the last they are clean."""
        if index == self.how.steps:
            return self.clean
        draws = [torch.Generator().manual_seed(derive(seed, "step", index)) for seed in self.seeds]
        noise = torch.stack([torch.randn(self.clean.shape[1:], generator=draw) for draw in draws])
        return noised(self.clean, self.grid.alphas[index], noise.to(self.clean.device))

    def _step(
        self,
        index: int,
        latents: Tensor,
        level: Tensor,
        following: Tensor,
        momentum: Tensor,
        on: list[int],
    ) -> tuple[Tensor, Tensor]:
        """Latents and momentum after a step that repeats the inverted image's own noise."""
        move = Move(self.grid.alphas[index], self.grid.following[index])
        plain, of_image, own, other = self._estimates(index, latents, level, on)
        mask = region(own - plain, self.how.semantic)
        gamma, momentum = guided(own - plain, other - plain, mask, momentum, index, self.how)
        # What leads from the inverted image at this step to it at the next, deviation and all.
        noise = following - move.mean(level, of_image)
        return move.mean(latents, plain + gamma) + noise, momentum

    def _estimates(
        self, index: int, latents: Tensor, level: Tensor, on: list[int]
    ) -> tuple[Tensor, ...]:
        """Of the latents, and of the inverted image, without text; of the latents under both."""
        inputs = torch.cat([latents, level, latents, latents])
        texts = torch.cat([self.empty[on], self.empty[on], self.own[on], self.other[on]])
        step = self.grid.steps[index]
        return estimate(self.model, inputs, step, texts, self.lowered).chunk(4)


def region(delta: Tensor, quantile: float) -> Tensor:
    """Where the guidance (n, C, S, S) of a class is largest, channel by channel: bool."""
    size = delta.abs()
    return size >= size.flatten(2).quantile(quantile, dim=2)[..., None, None]


def guided(
    own: Tensor, other: Tensor, mask: Tensor, momentum: Tensor, index: int, how: Guidance
) -> tuple[Tensor, Tensor]:
    """What is added to the estimate (n, C, S, S) at a step of the grid, and the new momentum.

    `own` and `other` are how the estimate changes under the class and under the concept; `mask` is
    the region where the class is seen.
    """
    gamma = torch.zeros_like(own)
    if index >= how.nuisance_warmup:
        gamma = gamma + how.scale * own * ~mask
    if index >= how.semantic_warmup:
        gamma = gamma + how.scale * (other - own) * mask
    gamma = gamma + how.momentum * momentum
    return gamma, how.beta * momentum + (1 - how.beta) * gamma
