"""How a classifier is trained, whatever the method."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.augment import Augment
from penumbra.options.head import Head
from penumbra.options.ranges import (
    Bound,
    Count,
    Names,
    NotNegative,
    Positive,
    Precision,
    Rising,
    at_least,
)
from penumbra.options.schedule import Schedule

IN_K = "no [i, k]: fold i of k counts from 0, so it is below k"
Fold = Annotated[tuple[Annotated[int, at_least(0)], Count], Rising(strict=True, text=IN_K)]


@dataclass(frozen=True, kw_only=True)
class Recipe(check.Options):
    """What the loop and its SGD read of a recipe."""

    OWNER = "recipe"

    epochs: Count
    """Passes over the training images."""
    batch_size: Annotated[int, at_least(2)]
    """Images a step, of which batch norm needs two; the last batch of an epoch may be smaller."""
    lr: Positive
    """Initial learning rate of SGD."""
    momentum: Annotated[float, Bound(0, 1, open_high=True)]
    """Momentum of SGD."""
    nesterov: bool
    """Nesterov momentum."""
    weight_decay: NotNegative
    """Weight decay of all parameters."""
    precision: Precision
    """bfloat16 is autocast of forward and backward."""
    schedule: Schedule
    """Learning rate by epoch."""
    augment: Augment
    """Augmentation of training images."""
    head: Head | None = None
    """A last layer in place of the linear one, of the method's own."""

    def together(self) -> Iterator[tuple[str, str]]:
        """The warm-up ends before the training does."""
        warmup = self.schedule.warmup_epochs
        if self.schedule.kind == "cosine_iteration" and warmup > self.epochs:
            yield "schedule", f"warmup_epochs {warmup:g} of {self.epochs} epochs"


@dataclass(frozen=True, kw_only=True)
class Outliers(check.Options):
    """The outliers that a detector is trained on (method energy)."""

    OWNER = "outliers of a recipe"

    set: Annotated[str, Names("outliers")]
    """An outlier set."""
    fold: Fold | None = None
    """[i, k]: leave out fold i of k, counted from 0, for a judge that later scores it."""
    judges: list[Annotated[str, Names("recipes")]] | None = None
    """Recipes whose detectors score the outliers for the filter: one that trained on all of them
    (as printed), or one a fold."""
    calibration: Annotated[str, Names("calibrations")] | None = None
    """Calibration of the judges."""
    filter: Annotated[str, Names("filters")] | None = None
    """Filter; null trains on all outliers."""
    reconstruct_id: bool = False
    """Pass ID training images through the tokenizer that the outliers come out of, so that its
    marks tell nothing."""
