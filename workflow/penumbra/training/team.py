"""Who trains: one process, or several that share every batch.

Loops and methods do through a team whatever the processes of a training must do together. Alone it
is one process's own arithmetic, bit for bit.
"""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.training.launch import started


class Team:
    """The only process of a training.

    `count` is the number of images in the batch that the team trains on; a loop sets it.
    """

    rank, size = 0, 1

    def __init__(self) -> None:
        self.count = 0

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def adopt(self, model: nn.Module) -> None:
        """Let the model's batch norm count the images of all processes."""

    def leave(self) -> None:
        """Part from the other processes."""

    def part(self, count: int) -> slice:
        """Which of `count` things are this process's own: neighbours, in order of the ranks."""
        return slice(None)

    def noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Uniform numbers in [0, 1) for this process's images x (n, ...) of the batch."""
        return torch.rand(x.shape, generator=generator, device=x.device)

    def cross_entropy(self, logits: Tensor, y: Tensor) -> Tensor:
        """This process's share () of the mean over the batch; logits (n, K), labels y (n,)."""
        return F.cross_entropy(logits, y)

    def mean(self, losses: Tensor, total: int) -> Tensor:
        """This process's share () of the mean over all processes' losses, `total` in number."""
        return losses.mean()

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum over all processes of tensors of one shape."""
        return tensor

    def share(self, total: Tensor) -> Tensor:
        """What this process holds of a sum, so that `summed` gives it back."""
        return total

    def deviation(self, x: Tensor) -> Tensor:
        """Standard deviation () of the numbers of all processes."""
        return x.std()

    def gathered(self, tensor: Tensor) -> Tensor:
        """The tensors (...) of all processes, in order of the ranks: (size, ...)."""
        return tensor[None]

    def reduce(self, parameters: Iterable[Tensor]) -> None:
        """Make every gradient that of the whole batch's loss."""

    def poll(self, wish: bool) -> bool:
        """Whether any process wishes to stop; called after each step, may answer some later."""
        return wish

    def by_first(self, act: Callable[[], None]) -> None:
        """Let the first process act and the others wait; if it fails, all end."""
        act()

    def common(self, error: PenumbraError) -> BaseException:
        """An error that every process has met, as one of them says it."""
        return error


def assemble(processes: int, device: torch.device) -> tuple[Team, torch.device]:
    """The team of this process, which a launcher may have started with others; its own device.

    Raises:
        PenumbraError: a launcher started another number of them.
    """
    if started() != processes:
        raise PenumbraError(
            f"compute.processes is {processes}, but a launcher started {started()} processes; "
            "call the stage without one, or unset WORLD_SIZE"
        )
    if processes == 1:
        return Team(), device
    # Not above: a single process does without it.
    from penumbra.training.ranks import start

    return start(device)
