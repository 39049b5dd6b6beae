"""Per-sample adversarial training (UAT paper, Table 9): the same loop, no universal map."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penumbra.networks.graphs import Graphed
from penumbra.options.methods.pgd import Inner, Options
from penumbra.seeds import derive
from penumbra.training.attack import pgd
from penumbra.training.method import Batch, Method, Perturb, Setting


class Attack:
    """Per-sample PGD on the model as it is."""

    def __init__(self, options: Inner, setting: Setting):
        self.options, self.setting = options, setting
        self.climb = Graphed(self._climb, setting.graphs)

    def examples(self, x: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """Adversarial examples within eps of x, and within the range of pixels if so asked."""
        s = self.setting
        noise: tuple[Tensor, ...] = ()
        if self.options.random_start:
            generator = torch.Generator(s.device)
            generator.manual_seed(derive(s.seed, "attack", batch.epoch, batch.index))
            noise = (torch.rand(x.shape, generator=generator, device=x.device) * 2 - 1,)
        return self.climb(x, y, *noise)[0]

    def _climb(self, x: Tensor, y: Tensor, noise: Tensor | None = None) -> tuple[Tensor]:
        s, o = self.setting, self.options
        bounds = (-s.mean / s.std, (1 - s.mean) / s.std)
        if not o.clip_pixels:
            free = torch.full_like(s.std, math.inf)
            bounds = (-free, free)
        eps, step = o.eps / s.std, o.step / s.std
        return (pgd(s.model, x, y, eps, step, o.steps, bounds, noise, s.lowered),)


class PerSample(Method):
    """Trains on PGD examples where UAT would add its map.

    With UAT's bound, steps and count of batches, and `clip_pixels: false`, only that differs whose
    perturbation it is: each image's, or one for all.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = Options.of(options)
        self.attack = Attack(self.options, setting)

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """PGD examples of x on perturbed batches, x itself on the others."""
        counter = batch.index if self.options.index == "epoch" else batch.step
        if self.options.perturb_on == "odd" and counter % 2 == 0:
            return x, None
        return self.attack.examples(x, y, batch), None


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """Per-sample PGD training with the options of the recipe's `pgd` key."""
    return PerSample(options, setting)
