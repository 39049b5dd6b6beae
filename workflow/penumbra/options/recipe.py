"""How a classifier is trained, whatever the method."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.augment import Augment
from penumbra.options.ranges import Bound, Count, NotNegative, Positive, Precision, Rising, at_least
from penumbra.options.schedule import Schedule

IN_K = "no [i, k]: fold i of k counts from 0, so it is below k"
Fold = Annotated[tuple[Annotated[int, at_least(0)], Count], Rising(strict=True, text=IN_K)]


@dataclass(frozen=True, kw_only=True)
class Recipe(check.Options):
    """What the loop and its SGD read of a recipe.

    `batch_size` images a step, of which batch norm needs two.
    """

    OWNER = "recipe"

    epochs: Count
    batch_size: Annotated[int, at_least(2)]
    lr: Positive
    momentum: Annotated[float, Bound(0, 1, open_high=True)]
    nesterov: bool
    weight_decay: NotNegative
    precision: Precision
    schedule: Schedule
    augment: Augment

    def together(self) -> Iterator[tuple[str, str]]:
        """The warm-up ends before the training does."""
        warmup = self.schedule.warmup_epochs
        if self.schedule.kind == "cosine_iteration" and warmup > self.epochs:
            yield "schedule", f"warmup_epochs {warmup:g} of {self.epochs} epochs"


@dataclass(frozen=True, kw_only=True)
class Outliers(check.Options):
    """The outliers of a detector: of a `set`, without a `fold`, or those that a `filter` keeps.

    `fold` is [i, k]: fold i of k, counted from 0, is left out, for this detector to judge. With
    `reconstruct_id` ID training images pass the tokenizer that the outliers come out of.
    """

    OWNER = "outliers of a recipe"

    set: str
    fold: Fold | None = None
    judges: list[str] | None = None
    calibration: str | None = None
    filter: str | None = None
    reconstruct_id: bool = False
