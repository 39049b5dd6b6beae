"""What a generative part (encoder, RDM, tokenizer, MAGE) brings to its training loop."""

from typing import Protocol

import torch
from torch import Tensor, nn


class Objective(Protocol):
    """One loss over numbered samples that lie on the device.

    All state that a resumed run needs is in `module`'s state dict (parameters and buffers, such
    as an exponential moving average); the parameters that require gradients are optimised.
    """

    module: nn.Module

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The loss () of the samples `rows` (n,); every random draw comes from `generator`."""
        ...

    def after(self) -> None:
        """Called after each optimiser step."""
        ...

    def artifacts(self) -> dict[str, Tensor]:
        """The finished checkpoint, under the names of the published one."""
        ...
