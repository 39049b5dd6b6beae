"""What a part is trained on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.vqgan import Tokenizer

if TYPE_CHECKING:  # diffusers takes seconds to import, and most parts do without
    from penumbra.networks.generative.autoencoder import Autoencoder


@dataclass(frozen=True)
class Data:
    """Training images and what earlier parts made of them, on the device.

    `pixels` uint8 (N, 3, H, W), `labels` (N,) places in `classes`, `representations` (N, R),
    encoder, tokenizer and autoencoder where the part uses them; `steps` of the whole run;
    `batch_size` of forward passes of tokenizer or autoencoder, 0 where there is neither.
    """

    pixels: Tensor
    labels: Tensor
    classes: list[str]
    representations: Tensor | None
    encoder: MoCo | None
    tokenizer: Tokenizer | None
    steps: int
    batch_size: int
    autoencoder: "Autoencoder | None" = None

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.pixels.device
