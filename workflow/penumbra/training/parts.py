"""The training loop of the generative parts: any Objective, AdamW, a rate that moves every step."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.states import under
from penumbra.training.adamw import AdamW
from penumbra.training.epochs import Loop
from penumbra.training.objective import Objective
from penumbra.training.progress import Extent, Progress
from penumbra.training.resume import Record, Resume

SCHEDULES = ("constant", "cosine")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Recipe:
    """How a part is trained; the keys of its recipe.

    lr rises linearly over `warmup_epochs`, then stays or falls as half a cosine to zero, step by
    step. `clip` bounds the gradient's norm; None leaves it.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    betas: tuple[float, float]
    warmup_epochs: float
    schedule: str
    clip: float | None
    precision: str

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> "Recipe":
        """The loop's share of a part's recipe, whose other keys belong to the part itself."""
        missing = [field.name for field in fields(cls) if field.name not in recipe]
        if missing:
            raise PenumbraError(f"recipe of a part: no {', '.join(missing)}; the loop needs them")
        return cls(**{field.name: recipe[field.name] for field in fields(cls)})

    def __post_init__(self) -> None:
        for key, valid in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, key) not in valid:
                raise unknown(key, getattr(self, key), valid, "recipe of a part")
        if not 0 <= self.warmup_epochs < max(self.epochs, 1) or self.batch_size < 1:
            raise PenumbraError(
                f"recipe of a part: warmup_epochs {self.warmup_epochs} of {self.epochs} epochs, "
                f"batch_size {self.batch_size}; the warm-up must end and a batch hold a sample"
            )

    def rate(self, epoch: float) -> float:
        """The learning rate when so many epochs, or parts of them, have passed."""
        if epoch < self.warmup_epochs:
            return self.lr * epoch / self.warmup_epochs
        if self.schedule == "constant":
            return self.lr
        share = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.lr * 0.5 * (1 + math.cos(math.pi * share))


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
    return _Run(objective, Recipe.of(recipe), seed).run(resume, report)


class _Run(Loop):
    """An objective, its optimiser, and the epochs of one seed."""

    def __init__(self, objective: Objective, recipe: Recipe, seed: int):
        if not len(objective):
            raise PenumbraError(f"{type(objective).__name__}: no samples to train on")
        parameters = [p for p in objective.module.parameters() if p.requires_grad]
        # A last batch that is not full is left out, as published; another epoch has its samples.
        batches = max(1, len(objective) // recipe.batch_size)
        extent = Extent(len(objective), recipe.batch_size, batches, recipe.epochs)
        super().__init__(objective.module, extent, seed, parameters[0].device)
        self.objective, self.recipe = objective, recipe
        self.optimiser = AdamW(parameters, recipe.weight_decay, recipe.betas)

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
