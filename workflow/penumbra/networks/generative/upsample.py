"""The way to the next higher resolution, of MAGE's tokenizer and of LDM's UNet."""

import torch.nn.functional as F
from torch import Tensor, nn


class Upsample(nn.Module):
    """Twice the side by repetition, then a 3×3 convolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2H, 2W)."""
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
