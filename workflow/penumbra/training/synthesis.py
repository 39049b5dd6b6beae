"""Training against outliers that are drawn from the features of the classes' latest images."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.outliers.boundary import Queues
from penumbra.seeds import derive
from penumbra.training.method import Batch, Method, Setting


class Synthesis(Method):
    """Queues the features of each class over all epochs; a subclass draws from them.

    After each step from epoch `start` on, counted from 0, the next step's `outliers`
    (C · `count`, D) are drawn; `there` () is 1 once they are of full queues, and else 0: a
    subclass adds its loss of the outliers times that.

    Raises:
        PenumbraError: the training ends before `start`.
    """

    reads = "features"

    def __init__(
        self,
        options: Mapping[str, Any],
        setting: Setting,
        name: str,
        start: int,
        queue: int,
        count: int,
    ):
        super().__init__(options, setting)
        classes, width = setting.model.get_parameter("fc.weight").shape
        if start >= setting.epochs:
            raise PenumbraError(
                f"method {name}: outliers are drawn after {start} of {setting.epochs} epochs, so "
                "that there are none; give the recipe an earlier `start`, or more epochs"
            )
        self.name, self.start, self.epoch = name, start, 0
        self.queues = Queues(classes, queue, width, setting.device)
        self.outliers = torch.zeros(classes * count, width, device=setting.device)
        self.there = torch.zeros((), device=setting.device)
        self.drawn = torch.zeros(2, device=setting.device)  # steps with outliers, and steps
        self.seen: dict[int, Tensor] = {}  # the latest features, by size of the batch

    def draw(self, rows: Tensor, seed: int) -> Tensor:
        """Outliers (C · count, D) of the classes' features `rows` (C, queue, D)."""
        raise NotImplementedError

    def classified(self, features: Tensor) -> Tensor:
        """Logits (n, C) of features (n, D)."""
        return self.setting.model.fc(features)

    def keep(self, features: Tensor, y: Tensor) -> None:
        """Have features (m · n, D) of m views of the batch queued after the step."""
        self.seen.setdefault(len(y), torch.empty_like(features)).copy_(features)

    def right(self, outputs: Tensor, y: Tensor) -> Tensor:
        """By the last layer, of the images' first views."""
        return super().right(self.classified(outputs[: len(y)]), y)

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Queue the batch's features; from epoch `start` on, draw the next step's outliers."""
        self.epoch = batch.epoch
        seen = self.seen[len(y)]
        self.queues.add(seen, y.repeat(len(seen) // len(y)))
        if batch.epoch < self.start:
            return
        seed = derive(self.setting.seed, "outliers", batch.step)
        self.outliers.copy_(self.draw(self.queues.rows, seed))
        self.there.copy_(self.queues.are_full)
        self.drawn += torch.stack([self.there, torch.ones_like(self.there)])

    def record(self) -> dict[str, float]:
        """The share of the epoch's steps that were followed by a draw from full queues.

        Raises:
            PenumbraError: at this pace a class's queue is not full before the training ends, which
                would be one without outliers.
        """
        least, passed, epochs = self.queues.counts.min().item(), self.epoch + 1, self.setting.epochs
        if least * epochs <= self.queues.length * passed:
            raise PenumbraError(
                f"method {self.name}: of a class there were {least:g} features in {passed} of "
                f"{epochs} epochs, so that its queue of {self.queues.length} is never full and no "
                "outlier is drawn; give the recipe a shorter `queue`, or more epochs"
            )
        drawn, steps = self.drawn.tolist()
        self.drawn.zero_()
        return {"outliers": drawn / max(steps, 1)}

    def state(self) -> dict[str, Tensor]:
        """The queues, and the next step's outliers."""
        return {
            "places": self.queues.places,
            "counts": self.queues.counts,
            "outliers": self.outliers,
            "there": self.there,
            "drawn": self.drawn,
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        for name, tensor in Synthesis.state(self).items():
            tensor.copy_(state[name])
