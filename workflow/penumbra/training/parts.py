"""The training loop of the generative parts: any Objective, AdamW, a rate that moves every step."""

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import fields
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.loading.states import under
from penumbra.options.loop import Recipe
from penumbra.training.adamw import AdamW
from penumbra.training.epochs import Loop
from penumbra.training.objective import Objective
from penumbra.training.part_data import Data
from penumbra.training.progress import Extent, Progress
from penumbra.training.resume import Record, Resume


def share(recipe: Mapping[str, Any]) -> Recipe:
    """The loop's share of a part's recipe, whose other keys belong to the part itself."""
    return Recipe.of({f.name: recipe[f.name] for f in fields(Recipe) if f.name in recipe})


def trained(
    module: ModuleType,
    data: Data,
    options: Mapping[str, Any],
    training: Mapping[str, Any],
    seed: int,
    resume: Resume | None,
    report: Callable[[str], None],
) -> tuple[Mapping[str, Tensor], list[Record]]:
    """Tensors and records of a part that `module`, of `parts`, makes with torch's seed as it is.

    Raises:
        PenumbraError: as `fit` says.
    """
    recipe = dict(training)
    objective = module.objective(data, options, recipe.pop("objective", {}))
    history = fit(objective, recipe, seed, resume, report)
    return objective.artifacts(), history


def fit(
    objective: Objective,
    recipe: dict[str, Any],
    seed: int,
    resume: Resume | None,
    report: Callable[[str], None],
) -> list[Record]:
    """Train all epochs, or those that a saved state leaves; one record an epoch.

    Raises:
        PenumbraError: the recipe lacks a key or has an unknown value, there are no samples, or the
            training ends early, as `Loop.run` says.
    """
    return _Run(objective, share(recipe), seed).run(resume, report)


class _Run(Loop[Tensor]):
    """An objective, its optimiser, and the epochs of one seed."""

    def __init__(self, objective: Objective, recipe: Recipe, seed: int):
        if not len(objective):
            raise PenumbraError(f"{type(objective).__name__}: no samples to train on")
        parameters = [p for p in objective.module.parameters() if p.requires_grad]
        # A last batch that is not full is left out, as published; another epoch has its samples.
        batches = max(1, len(objective) // recipe.batch_size)
        extent = Extent(len(objective), recipe.batch_size, batches, _epochs(recipe, batches))
        super().__init__(objective.module, extent, seed, parameters[0].device)
        self.objective, self.recipe = objective, recipe
        self.optimiser = AdamW(parameters, recipe.weight_decay, recipe.betas)

    def batches(self, progress: Progress) -> Generator[Tensor]:
        """Samples (n,) of each step."""
        yield from progress.rest()

    def advance(self, rows: Tensor, progress: Progress) -> Tensor:
        """One optimiser step on the samples `rows` (n,); its loss ()."""
        self.optimiser.rate = self.recipe.rate(self._passed(progress.epoch, progress.done))
        lowered = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=lowered):
            loss = self.objective.loss(rows, progress.generator)
        self.optimiser.zero_grad()
        loss.backward()
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.optimiser.parameters, self.recipe.clip)
        self.optimiser.step()
        self.objective.after()
        return loss.detach()

    def record(self, progress: Progress, loss: float) -> Record:
        """Rate of the last step, and mean loss."""
        return {"epoch": progress.epoch, "lr": self.optimiser.rate, "loss": loss}

    def state(self) -> dict[str, Tensor]:
        """The objective's module and the optimiser's moments."""
        module, optimiser = self.module.state_dict(), self.optimiser.state()
        tensors = {f"module.{name}": tensor for name, tensor in module.items()}
        return tensors | {f"optimiser.{name}": tensor for name, tensor in optimiser.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.module.load_state_dict(under(state, "module."))
        self.optimiser.restore(under(state, "optimiser."))

    def diverged(self, loss: float, epoch: int, step: int) -> str:
        """What to say when a loss is not finite."""
        rate = self.recipe.rate(self._passed(epoch, step))
        return (
            f"{type(self.objective).__name__}: loss is {loss} in epoch {epoch + 1}, step "
            f"{step + 1} of {self.extent.batches}, at lr {rate:.3g}; try a smaller lr (now "
            f"{self.recipe.lr}), a longer warm-up, clip, or precision float32"
        )

    def _passed(self, epoch: int, step: int) -> float:
        """Epochs that have passed before a step."""
        return epoch + step / self.extent.batches


def _epochs(recipe: Recipe, batches: int) -> int:
    """The epochs that are trained: all, or those up to where it stops early."""
    if recipe.stop_after is None:
        return recipe.epochs
    if recipe.stop_after > recipe.epochs * batches:
        raise PenumbraError(
            f"stop_after {recipe.stop_after}: its {recipe.epochs} epochs of {batches} batches are "
            f"{recipe.epochs * batches} steps; train more epochs, or stop earlier"
        )
    return math.ceil(recipe.stop_after / batches)
