"""Several processes of one machine, a GPU each, that train one model together.

Each holds the whole model and a part of every batch. What they exchange is a sum that all of them
get in the same bits, so their weights stay equal without being sent.
"""

import os
from collections.abc import Callable, Iterable

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.training.synced import synchronise
from penumbra.training.team import Team

EVERY = 8  # steps from one poll to the next


def start(device: torch.device) -> tuple[Team, torch.device]:
    """Meet the other processes that torch's launcher started; this process's device."""
    # The processes of one machine meet on it, whatever its name resolves to.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if device.type != "cuda":
        dist.init_process_group("gloo")
        return Ranks(), device
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    # What lies on the CPU (wishes, states of generators) must not wait for the GPU.
    dist.init_process_group("cpu:gloo,cuda:nccl", device_id=device)
    return Ranks(), device


class Ranks(Team):
    """One of several processes."""

    def __init__(self) -> None:
        super().__init__()
        self.launcher, self.polls = os.getppid(), 0
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def adopt(self, model: nn.Module) -> None:
        """Let the model's batch norm count the images of all processes."""
        synchronise(model)

    def leave(self) -> None:
        """Part from the other processes."""
        dist.destroy_process_group()

    def part(self, count: int) -> slice:
        """Neighbours; the first processes have one more where it does not come out even."""
        least, more = divmod(count, self.size)
        begin = self.rank * least + min(self.rank, more)
        return slice(begin, begin + least + (self.rank < more))

    def noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """This process's part of what one process would draw for the batch."""
        shape = (self.count, *x.shape[1:])
        drawn = torch.rand(shape, generator=generator, device=x.device)
        return drawn[self.part(self.count)]

    def cross_entropy(self, logits: Tensor, y: Tensor) -> Tensor:
        """The sum over the part, by the images of the batch: the shares add up to the mean."""
        return F.cross_entropy(logits, y, reduction="sum") / self.count

    def mean(self, losses: Tensor, total: int) -> Tensor:
        """The sum over the part, by their number in all processes."""
        return losses.sum() / total

    def summed(self, tensor: Tensor) -> Tensor:
        """The sum over all processes."""
        total = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    def share(self, total: Tensor) -> Tensor:
        """All of it for the first process, nothing for the others."""
        return total if self.first else torch.zeros_like(total)

    def deviation(self, x: Tensor) -> Tensor:
        """Standard deviation over all processes, in two passes."""
        count = self.summed(x.new_tensor(x.numel()))
        mean = self.summed(x.sum()) / count
        return (self.summed((x - mean).square().sum()) / (count - 1)).sqrt()

    def gathered(self, tensor: Tensor) -> Tensor:
        """One row a process."""
        every = tensor.new_empty(self.size, *tensor.shape)
        dist.all_gather(list(every.unbind()), tensor)
        return every

    def reduce(self, parameters: Iterable[Tensor]) -> None:
        """Add up the processes' gradients, all in one piece.

        Not by DistributedDataParallel: the methods call the model several times a step, also
        frozen, have parameters outside of it, and weigh images by the batch, not by the process.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def poll(self, wish: bool) -> bool:
        """Asked every few steps only, as it costs the time of a short one.

        A process whose launcher was killed wishes to end, too.
        """
        self.polls += 1
        if self.polls % EVERY:
            return False
        return self._any(wish or os.getppid() != self.launcher)

    def by_first(self, act: Callable[[], None]) -> None:
        """The first process acts and fails with its own error; the others wait, and fail too."""
        error = None
        if self.first:
            try:
                act()
            except PenumbraError as found:
                error = found
        if self._any(error is not None):
            raise SystemExit(1) if error is None else error

    def common(self, error: PenumbraError) -> BaseException:
        """The error for the first process, a silent end for the others."""
        return error if self.first else SystemExit(1)

    def _any(self, wish: bool) -> bool:
        """Whether any process wishes it; all of them must ask at the same place."""
        wishes = torch.tensor(int(wish))
        dist.all_reduce(wishes)
        return bool(wishes)
