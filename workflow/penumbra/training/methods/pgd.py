"""Per-sample adversarial training (UAT paper, Table 9): the same loop, no universal map."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penumbra.networks.graphs import Graphed
from penumbra.options.methods.pgd import Options
from penumbra.seeds import derive
from penumbra.training.attack import pgd
from penumbra.training.method import Batch, Method, Perturb, Setting


class PerSample(Method):
    """Trains on PGD examples where UAT would add its map, so that only the attack differs."""

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = Options.of(options)
        self.climb = Graphed(self._climb, setting.graphs)

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """PGD examples of x on perturbed batches, x itself on the others."""
        if self.options.perturb_on == "odd" and batch.index % 2 == 0:
            return x, None
        return self.attack(x, y, batch), None

    def attack(self, x: Tensor, y: Tensor, batch: Batch) -> Tensor:
        """Adversarial examples within eps of x and within the valid pixel range."""
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
        eps, step = o.eps / s.std, o.step / s.std
        return (pgd(s.model, x, y, eps, step, o.steps, bounds, noise, s.lowered),)


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """Per-sample PGD training with the options of the recipe's `pgd` key."""
    return PerSample(options, setting)
