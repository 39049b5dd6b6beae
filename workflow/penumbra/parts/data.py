"""What a part is trained on, and the loop's settings with their published defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from penumbra.networks.moco import MoCo
from penumbra.networks.vqgan import Tokenizer

# AdamW without warm-up at a constant rate, as RCG trains its RDM.
DEFAULTS: Mapping[str, Any] = {
    "weight_decay": 0.01,
    "betas": [0.9, 0.999],
    "warmup_epochs": 0,
    "schedule": "constant",
    "clip": None,
    "precision": "float32",
}


@dataclass(frozen=True)
class Data:
    """Training images and what earlier parts made of them, on the device.

    `pixels` uint8 (N, 3, H, W), `labels` (N,) places in `classes`, `representations` (N, R),
    encoder and tokenizer where the part uses them; `steps` of the whole run.
    """

    pixels: Tensor
    labels: Tensor
    classes: list[str]
    representations: Tensor | None
    encoder: MoCo | None
    tokenizer: Tokenizer | None
    steps: int
    batch_size: int

    @property
    def device(self) -> torch.device:
        """Where all of it lies."""
        return self.pixels.device
