"""The training loop of the generative parts: any Objective, AdamW, a rate that moves every step."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.states import under
from penumbra.seeds import derive
from penumbra.training.adamw import AdamW
from penumbra.training.objective import Objective
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
            loss is not finite; nothing of that epoch is saved.
    """
    run = _Run(objective, Recipe.of(recipe), seed)
    history = run.load(resume) if resume else []
    if history:
        report(f"resuming after epoch {len(history)} of {run.recipe.epochs}")
    for epoch in range(len(history), run.recipe.epochs):
        history.append(run.epoch(epoch))
        if resume:
            run.save(resume, history)
        report(f"epoch {epoch + 1}/{run.recipe.epochs}  loss {history[-1]['loss']:.4f}")
    return history


class _Run:
    """An objective, its optimiser, and the epochs of one seed."""

    def __init__(self, objective: Objective, recipe: Recipe, seed: int):
        if not len(objective):
            raise PenumbraError(f"{type(objective).__name__}: no samples to train on")
        self.objective, self.recipe, self.seed = objective, recipe, seed
        parameters = [p for p in objective.module.parameters() if p.requires_grad]
        self.device = parameters[0].device
        self.optimiser = AdamW(parameters, recipe.weight_decay, recipe.betas)
        # A last batch that is not full is left out, as published; another epoch has its samples.
        self.batches = max(1, len(objective) // recipe.batch_size)

    def epoch(self, epoch: int) -> Record:
        """One pass over the samples in an order of its own."""
        generator = torch.Generator(self.device)
        generator.manual_seed(derive(self.seed, "epoch", epoch))
        torch.manual_seed(derive(self.seed, "dropout", epoch))
        self.objective.module.train()
        order = torch.randperm(len(self.objective), generator=generator, device=self.device)
        # Losses stay on the device until the epoch ends: reading one would wait for the GPU.
        losses = torch.empty(self.batches, device=self.device)
        for index, rows in enumerate(order.split(self.recipe.batch_size)[: self.batches]):
            self.optimiser.rate = self.recipe.rate(epoch + index / self.batches)
            losses[index] = self.step(rows, generator)
        self._check(losses, epoch)
        return {"epoch": epoch, "lr": self.optimiser.rate, "loss": losses.mean().item()}

    def step(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One optimiser step; the loss, still on the device."""
        lowered = self.recipe.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=lowered):
            loss = self.objective.loss(rows, generator)
        self.optimiser.zero_grad()
        loss.backward()
        if self.recipe.clip is not None:
            nn.utils.clip_grad_norm_(self.optimiser.parameters, self.recipe.clip)
        self.optimiser.step()
        self.objective.after()
        return loss.detach()

    def save(self, resume: Resume, history: list[Record]) -> None:
        """Everything that the next epoch begins with."""
        module, optimiser = self.objective.module.state_dict(), self.optimiser.state()
        tensors = {f"module.{name}": tensor for name, tensor in module.items()}
        tensors |= {f"optimiser.{name}": tensor for name, tensor in optimiser.items()}
        resume.write(tensors, history)

    def load(self, resume: Resume) -> list[Record]:
        """Take up a saved state and give its history."""
        tensors, history = resume.read()
        if tensors:
            self.objective.module.load_state_dict(under(tensors, "module."))
            self.optimiser.restore(under(tensors, "optimiser."))
        return history

    def _check(self, losses: Tensor, epoch: int) -> None:
        bad = (~losses.isfinite()).nonzero()
        if len(bad):
            step = int(bad[0])
            rate = self.recipe.rate(epoch + step / self.batches)
            raise PenumbraError(
                f"{type(self.objective).__name__}: loss is {losses[step].item()} in epoch "
                f"{epoch + 1}, step {step + 1} of {self.batches}, at lr {rate:.3g}; try a smaller "
                f"lr (now {self.recipe.lr}), a longer warm-up, clip, or precision float32"
            )
