"""An epoch that is under way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from penumbra.images.feeding import Request
from penumbra.seeds import derive


@dataclass(frozen=True)
class Extent:
    """How much is trained: `epochs` of `batches` each, which hold `batch_size` of the `samples`.

    The last batch may be smaller.
    """

    samples: int
    batch_size: int
    batches: int
    epochs: int


class Progress:
    """The order and the draws of an epoch, how far it is, and what its record will say.

    `losses` (batches,) and the number of right predictions, `correct` (), stay on the device.
    """

    def __init__(self, epoch: int, extent: Extent, seed: int, device: torch.device):
        self.epoch, self.extent, self.device = epoch, extent, device
        self.generator = torch.Generator(device)
        self.name = (seed, "epoch", epoch)
        self.generator.manual_seed(derive(*self.name))
        torch.manual_seed(derive(seed, "dropout", epoch))
        self.order = torch.randperm(extent.samples, generator=self.generator, device=device)
        self.done = 0
        # Losses stay on the device until the epoch ends: reading one would wait for the GPU.
        self.losses = torch.empty(extent.batches, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def rest(self) -> Iterator[Tensor]:
        """The rows of the batches that are left."""
        yield from self.order.split(self.extent.batch_size)[self.done : self.extent.batches]

    def requests(self, ahead: bool) -> Iterator[Request]:
        """The batches that are left, each with the generator of its draws.

        That is the epoch's own, which goes on from batch to batch; for what is drawn ahead of its
        turn it is one of (seed, epoch, batch), so that nothing depends on how far ahead.
        """
        if not ahead:
            yield from ((rows, self.generator) for rows in self.rest())
            return
        batches = self.order.cpu().split(self.extent.batch_size)
        for index in range(self.done, self.extent.batches):
            own = torch.Generator()
            yield batches[index], own.manual_seed(derive(*self.name, "batch", index))

    def finish(self, loss: Tensor) -> None:
        """Count a step with its loss ()."""
        self.losses[self.done] = loss
        self.done += 1

    def losses_so_far(self) -> Tensor:
        """The losses (done,) of the steps taken."""
        return self.losses[: self.done]

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed epoch goes on from."""
        drawn = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            drawn["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            "generator": self.generator.get_state(),
            "losses": self.losses_so_far(),
            "correct": self.correct,
            **{f"random.{kind}": state for kind, state in drawn.items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.generator.set_state(state["generator"])
        self.done = len(state["losses"])
        self.losses[: self.done] = state["losses"]
        self.correct = state["correct"].to(self.device)
        torch.set_rng_state(state["random.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random.cuda"], self.device)
