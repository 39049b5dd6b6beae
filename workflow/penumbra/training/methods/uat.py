"""Universal adversarial training (UAT paper, Algorithm 1): one map L for all samples.

Phase 1 trains on clean batches, phase 2 on x + L, phase 3 freezes the model every τ batches and
raises its loss by moving L. The paper leaves much of it open; docs/uat.md has every variant with
its key. The default is a bounded map moved by PGD, for which the paper's text and sweeps speak
(Tables 6 and 12: α and τ act apart). Whether it gives the printed numbers no run has shown yet; the
table `uat_variants` compares it with the others.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.base import INPUT
from penumbra.networks.graphs import Graphed
from penumbra.options.methods.uat import Options
from penumbra.seeds import derive
from penumbra.training.attack import frozen
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.methods.pgd import Attack


class Universal(Method):
    """Holds the map L (1, C, H, W) as a buffer: no momentum, no weight decay, no gradient.

    With update `pgd`, L = alpha · unit · delta with delta in [-1, 1]; unit is 1 in normalised
    space, 1/std in pixel space, and inside the network the activation's deviation over the
    input's. The `*_step` updates move L itself by alpha.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = o = Options.of(options)
        self.where = setting.model.place(o.position)
        shape = setting.model.shape_at(self.where, setting.shape)
        self.generator = torch.Generator(setting.device)
        self.generator.manual_seed(derive(setting.seed, "map"))
        self.delta = self._drawn(shape, self.options.init)
        self.unit = self._fixed_unit()
        self.map = (
            self._bounded(self.delta) if self.unit is not None else torch.zeros_like(self.delta)
        )
        self.climb = Graphed(self._climb, setting.graphs)
        self.inner = Attack(o.inner_attack, setting) if o.inner_attack else None

    def check(self, batches: int, epochs: int) -> None:
        """Refuse a training that would have no batch with the map.

        Raises:
            PenumbraError: all batches are even ones.
        """
        counted = batches if self.options.index == "epoch" else batches * epochs
        if self.options.perturb_on == "odd" and counted < 2:
            raise PenumbraError(
                "method uat: the map is added in odd batches, counted from 0, and of those there "
                "are none, so that this would be standard training; say index: global, "
                "perturb_on: always, or a smaller batch_size"
            )

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """Phases 1 and 2: x alone, or x with the map at its place."""
        if self.unit is None:
            self._measure(x)
            self.map = self._bounded(self.delta)
        return x, (self.where, self.map) if self.perturbs(batch) else None

    def perturbs(self, batch: Batch) -> bool:
        """Whether this batch belongs to phase 2."""
        return self.options.perturb_on == "always" or self._counter(batch) % 2 == 1

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Phase 3, every tau batches: ascend on the clean batch with the model frozen."""
        if self._counter(batch) % self.options.tau == 0:
            if self.inner is not None:
                x = self.inner.examples(x, y, batch)
            if self.where != INPUT:
                self._measure(x)
            self.ascend(x, y)

    def ascend(self, x: Tensor, y: Tensor) -> None:
        """Move the map by the loss's gradient, `steps` times for PGD and once otherwise."""
        o = self.options
        if o.restart != "warm":
            self.delta = self._drawn(self.delta.shape, o.restart)
        with frozen(self.setting.model, o.bn_phase3):
            if o.update == "pgd":
                assert self.unit is not None, "the map's unit is measured on the first batch"
                (self.delta,) = self.climb(x, y, self.delta, self.unit)
                self.map = self._bounded(self.delta)
            else:
                gradient = self._gradient(x, y, self.map)
                move = gradient.sign() if o.update == "sign_step" else gradient
                self.map = self._clipped(self.map + o.alpha * move)

    def _climb(self, x: Tensor, y: Tensor, delta: Tensor, unit: Tensor) -> tuple[Tensor]:
        o = self.options
        for _ in range(o.steps):
            gradient = self._gradient(x, y, o.alpha * unit * delta)
            delta = (delta + o.step_size * gradient.sign()).clamp(-1, 1)
        return (delta,)

    def _gradient(self, x: Tensor, y: Tensor, at: Tensor) -> Tensor:
        at = at.detach().requires_grad_(True)
        with self.setting.autocast():
            loss = F.cross_entropy(self.setting.model(x, (self.where, at)), y)
        # grad(), not backward(): nothing may stay on the weights for the next optimiser step.
        (gradient,) = torch.autograd.grad(loss, at)
        return gradient

    def _counter(self, batch: Batch) -> int:
        return batch.index if self.options.index == "epoch" else batch.step

    def _drawn(self, shape: tuple[int, ...], start: str) -> Tensor:
        if start == "zero":
            return torch.zeros(shape, device=self.setting.device)
        return torch.rand(shape, generator=self.generator, device=self.setting.device) * 2 - 1

    def _fixed_unit(self) -> Tensor | None:
        if self.where != INPUT:
            return None  # measured on data
        std = self.setting.std
        return 1 / std if self.options.space == "pixel" else torch.ones_like(std)

    @torch.no_grad()
    def _measure(self, x: Tensor) -> None:
        with frozen(self.setting.model):
            inside = self.setting.model.maps(x, (self.where,))[self.where]
        self.unit = (inside.std() / x.std()).reshape(1, 1, 1, 1)

    def _bounded(self, delta: Tensor) -> Tensor:
        assert self.unit is not None, "the map's unit is measured on the first batch"
        return self.options.alpha * self.unit * delta

    def _clipped(self, map_: Tensor) -> Tensor:
        o = self.options
        if o.clip is None:
            return map_
        assert self.unit is not None, "the map's unit is measured on the first batch"
        bound = (o.alpha if o.clip == "alpha" else float(o.clip)) * self.unit
        return torch.maximum(torch.minimum(map_, bound), -bound)

    def state(self) -> dict[str, Tensor]:
        """The map, delta, their unit, and the generator of random restarts."""
        state = {"map": self.map, "delta": self.delta, "generator": self.generator.get_state()}
        return state if self.unit is None else {**state, "unit": self.unit}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        device = self.setting.device
        self.map, self.delta = state["map"].to(device), state["delta"].to(device)
        self.unit = state["unit"].to(device) if "unit" in state else None
        self.generator.set_state(state["generator"])

    def artifacts(self) -> dict[str, Tensor]:
        """The map, under the step that it is added to."""
        return {f"map@{self.where}": self.map}


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """UAT with the options of the recipe's `uat` key."""
    return Universal(options, setting)
