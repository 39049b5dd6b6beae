"""What a training method may add to the loop; standard training adds nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.images.feeding import Feeding
from penumbra.networks.base import Classifier

Perturb = tuple[str, Tensor] | None


@dataclass(frozen=True)
class Batch:
    """Where the loop stands: epoch, index within the epoch, and count over all epochs, from 0."""

    epoch: int
    index: int
    step: int


@dataclass(frozen=True)
class Setting:
    """What a method may need of the run that it takes part in.

    `shape` is (C, H, W) of the inputs; `mean` and `std` (1, C, 1, 1) are the normalisation.
    `outliers` serves the images that a method holds against those of the classes, whose names are
    `classes`. `lowered` trains in bfloat16, `graphs` replays work of fixed shapes as CUDA graphs.
    `epochs` are all that there will be. `folder` is where the files of a published backbone lie.
    """

    model: Classifier
    shape: tuple[int, int, int]
    mean: Tensor
    std: Tensor
    seed: int
    device: torch.device
    outliers: Feeding | None = None
    lowered: bool = False
    graphs: bool = False
    epochs: int = 1
    classes: tuple[str, ...] = ()
    folder: str = ""

    def autocast(self) -> torch.autocast:
        """The context that forward passes run in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.lowered)


class Method:
    """Standard training: every batch is clean (Algorithm 1 without phases 2 and 3).

    `reads` is what `loss` and `right` get of the model: logits, or features (n, D). `right` counts,
    of each image, so many `predictions`, whose share the history has under the name `counted`.
    """

    reads: ClassVar[Literal["logits", "features"]] = "logits"
    counted: ClassVar[str] = "accuracy"
    predictions: ClassVar[int] = 1

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.setting = setting

    def check(self, batches: int, epochs: int) -> None:
        """Refuse a training of so few batches an epoch that it would be another method's.

        Raises:
            PenumbraError: saying which option to change.
        """

    def modules(self) -> list[nn.Module]:
        """What the optimiser trains along with the model."""
        return []

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """What the model is trained on in place of the clean batch x (n, C, H, W), y (n,).

        Inputs that the method adds come after those n.
        """
        return x, None

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss (); what `reads` names, (n or more, K or D), of those inputs, y (n,).

        A step may be replayed as a CUDA graph: what else is to be known of the loss is written into
        tensors that stay, for `after` to read.
        """
        return F.cross_entropy(outputs, y)

    def right(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The number () of right predictions in what `loss` gets, without gradient."""
        return (outputs[: len(y)].argmax(1) == y).sum()

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Called after the optimiser step, with the clean batch."""

    def record(self) -> dict[str, float]:
        """Numbers of the method's own for the record of the epoch that ends."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Tensors that a resumed run needs."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""

    def artifacts(self) -> dict[str, Tensor]:
        """Tensors that belong into the finished checkpoint."""
        return {}
