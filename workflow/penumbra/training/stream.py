"""An image set as an endless sequence of batches."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from penumbra.images.feeding import Feeding, Request, Served
from penumbra.seeds import derive


class Stream:
    """Serves an image set pass after pass, each in an order of its own.

    A batch may end one pass and begin the next, so all are full. What step k gets follows from k
    alone: a resumed run needs no state.
    """

    def __init__(self, feeder: Feeding, batch_size: int, seed: int, name: str):
        self.feeder, self.batch_size = feeder, batch_size
        self.seed, self.name = seed, name
        self.orders: dict[int, Tensor] = {}
        self.coming: tuple[int, Iterator[Served]] | None = None

    def batch(self, step: int) -> Tensor:
        """Newly augmented, normalised inputs (n, C, H, W) of a step, counted from 0."""
        if self.coming is None or self.coming[0] != step:
            self.coming = step, self.feeder.served(self._requests(step))
        _, served = self.coming
        self.coming = step + 1, served
        return next(served)[0]

    def _requests(self, first: int) -> Iterator[Request]:
        for step in itertools.count(first):
            yield self.rows(step), self._generator("augmentation", step)

    def rows(self, step: int) -> Tensor:
        """The rows (batch size,) of a step's batch."""
        start = step * self.batch_size
        first, skipped = divmod(start, len(self.feeder))
        last = (start + self.batch_size - 1) // len(self.feeder)
        kept = self.orders
        self.orders = {
            number: kept[number] if number in kept else self._order(number)
            for number in range(first, last + 1)
        }
        return torch.cat(list(self.orders.values()))[skipped : skipped + self.batch_size]

    def _order(self, number: int) -> Tensor:
        return torch.randperm(
            len(self.feeder), generator=self._generator(number), device=self.feeder.drawn_on
        )

    def _generator(self, *parts: object) -> torch.Generator:
        generator = torch.Generator(self.feeder.drawn_on)
        return generator.manual_seed(derive(self.seed, self.name, *parts))
