"""How a generative part is trained: the loop that all kinds share."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, NotNegative, Positive, Precision, at_least

Beta = Annotated[float, Bound(0, 1, open_high=True)]


@dataclass(frozen=True)
class Recipe(check.Options):
    """How a part is trained, with AdamW; the defaults are how RCG trains its RDM."""

    OWNER = "recipe of a part"

    epochs: Count
    """Passes over the images."""
    batch_size: Annotated[int, at_least(2)]
    """Images a step."""
    lr: Positive
    """Learning rate."""
    stop_after: Count | None = None
    """Steps after which the training stops, with the epoch that is under way; null trains all."""
    weight_decay: NotNegative = 0.01
    """Decoupled weight decay."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """AdamW's betas."""
    warmup_epochs: NotNegative = 0
    """Linear warm-up, step by step."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After the warm-up: constant, or half a cosine to zero, step by step."""
    clip: Positive | None = None
    """Largest gradient norm; null leaves it."""
    precision: Precision = "float32"
    """bfloat16 is autocast of forward and backward."""

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
