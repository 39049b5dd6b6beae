"""Training without the classes, by a task that needs none."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.seeds import derive
from penumbra.training.method import Batch, Method, Setting
from penumbra.training.views import Views


class Unlabelled(Method):
    """Cross-entropy of a task on the features; its head is thrown away after the training.

    The last layer is set to zero and stays so: the model has features, and tells no classes apart.
    `head` makes the task's own layers for features of a width.
    """

    reads = "features"

    def __init__(
        self, options: Mapping[str, Any], setting: Setting, head: Callable[[int], nn.Module]
    ):
        super().__init__(options, setting)
        last: Any = setting.model.fc
        for parameter in last.parameters():
            nn.init.zeros_(parameter.requires_grad_(False))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "head"))
            self.head = head(last.weight.shape[1]).to(setting.device)

    def task(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (m, K) of the task and its targets (m,), of features (m, D) of the inputs."""
        raise NotImplementedError

    def modules(self) -> list[nn.Module]:
        """The head, with the network's learning rate and weight decay."""
        return [self.head]

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The task's mean cross-entropy (), without y."""
        return F.cross_entropy(*self.task(outputs))

    def right(self, outputs: Tensor, y: Tensor) -> Tensor:
        """How many of the task's predictions () are right."""
        logits, targets = self.task(outputs)
        return (logits.argmax(1) == targets).sum()

    def state(self) -> dict[str, Tensor]:
        """The head."""
        return dict(self.head.state_dict())

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self.head.load_state_dict(state)


def two_views(views: Views, setting: Setting, x: Tensor, batch: Batch) -> Tensor:
    """Two views of normalised images (n, 3, H, W): first ones, then second ones (2n, 3, H, W)."""
    generator = torch.Generator(setting.device)
    generator.manual_seed(derive(setting.seed, "views", batch.epoch, batch.index))
    pixels = x * setting.std + setting.mean
    both = [views.drawn(pixels, x.shape[-1], generator) for _ in range(2)]
    return laid_like((torch.cat(both) - setting.mean) / setting.std, x)


def laid_like(x: Tensor, like: Tensor) -> Tensor:
    """Images x in the order in memory, channels first or last, in which others lie."""
    is_last = like.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
