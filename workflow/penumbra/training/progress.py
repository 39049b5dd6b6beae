"""An epoch that is under way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from penumbra.seeds import derive
from penumbra.training.team import Team


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

    `losses` (batches,) and the right predictions, `correct` (), are this process's share.
    """

    def __init__(self, epoch: int, extent: Extent, seed: int, device: torch.device, team: Team):
        self.epoch, self.extent, self.device, self.team = epoch, extent, device, team
        self.generator = torch.Generator(device)
        self.generator.manual_seed(derive(seed, "epoch", epoch))
        # Processes draw dropout for images of their own, so each has a sequence of its own.
        mine = () if team.first else (team.rank,)
        torch.manual_seed(derive(seed, "dropout", epoch, *mine))
        self.order = torch.randperm(extent.samples, generator=self.generator, device=device)
        self.done = 0
        # Losses stay on the device until the epoch ends: reading one would wait for the GPU.
        self.losses = torch.empty(extent.batches, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)

    def rest(self) -> Iterator[Tensor]:
        """The rows of the batches that are left."""
        yield from self.order.split(self.extent.batch_size)[self.done : self.extent.batches]

    def finish(self, loss: Tensor) -> None:
        """Count a step with its loss ()."""
        self.losses[self.done] = loss
        self.done += 1

    def whole_losses(self) -> Tensor:
        """The losses (done,) of the steps taken, each that of the whole batch."""
        return self.team.summed(self.losses[: self.done])

    def state(self) -> dict[str, Tensor]:
        """Tensors from which any process of the team goes on."""
        drawn = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            drawn["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            "generator": self.generator.get_state(),
            "losses": self.whole_losses(),
            "correct": self.team.summed(self.correct),
            **{f"random.{kind}": self.team.gathered(state) for kind, state in drawn.items()},
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        self.generator.set_state(state["generator"])
        self.done = len(state["losses"])
        self.losses[: self.done] = self.team.share(state["losses"])
        self.correct = self.team.share(state["correct"]).to(self.device)
        # Copies, as torch reads a row's state from where the whole tensor begins.
        torch.set_rng_state(state["random.cpu"][self.team.rank].clone())
        if self.device.type == "cuda":
            mine = state["random.cuda"][self.team.rank].clone()
            torch.cuda.set_rng_state(mine, self.device)
