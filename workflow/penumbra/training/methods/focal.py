"""The focal loss (Lin et al. 2017), as of DML+'s first network (Zhang & Xiang 2023).

That network has a cosine head besides, by its recipe's `head: {similarity: cosine, scale: 40}`.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.options.methods.focal import Options
from penumbra.training.method import Method, Setting


class Focal(Method):
    """Mean of -(1 - p)^γ log p, p the softmax probability of the image's class (Eq. 4, α = 1)."""

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = Options.of(options)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The focal loss (): logits (n, K), y (n,)."""
        surprise = F.cross_entropy(outputs.float(), y, reduction="none")
        missing = -torch.expm1(-surprise)  # 1 - p, also where p is nearly 1
        return (missing**self.options.gamma * surprise).mean()


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """The focal loss with the options of the recipe's `focal` key."""
    return Focal(options, setting)
