"""How a generative part is trained: the loop that all kinds share."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, NotNegative, Positive, Precision, at_least

Beta = Annotated[float, Bound(0, 1, open_high=True)]
# AdamW without warm-up at a constant rate, as RCG trains its RDM.
DEFAULTS: Mapping[str, Any] = {
    "weight_decay": 0.01,
    "betas": [0.9, 0.999],
    "warmup_epochs": 0,
    "schedule": "constant",
    "clip": None,
    "precision": "float32",
}


@dataclass(frozen=True)
class Recipe(check.Options):
    """How a part is trained; the keys of its recipe.

    lr rises linearly over `warmup_epochs`, then stays or falls as half a cosine to zero, step by
    step. `clip` bounds the gradient's norm; None leaves it.
    """

    OWNER = "recipe of a part"

    epochs: Count
    batch_size: Annotated[int, at_least(2)]
    lr: Positive
    weight_decay: NotNegative
    betas: tuple[Beta, Beta]
    warmup_epochs: NotNegative
    schedule: Literal["constant", "cosine"]
    clip: Positive | None
    precision: Precision

    def together(self) -> Iterator[tuple[str, str]]:
        """The warm-up ends before the training does."""
        if self.warmup_epochs >= self.epochs:
            yield (
                "warmup_epochs",
                f"warmup_epochs {self.warmup_epochs:g} of {self.epochs} epochs; the warm-up must "
                "end",
            )

    def rate(self, epoch: float) -> float:
        """The learning rate when so many epochs, or parts of them, have passed."""
        if epoch < self.warmup_epochs:
            return self.lr * epoch / self.warmup_epochs
        if self.schedule == "constant":
            return self.lr
        share = (epoch - self.warmup_epochs) / (self.epochs - self.warmup_epochs)
        return self.lr * 0.5 * (1 + math.cos(math.pi * share))
