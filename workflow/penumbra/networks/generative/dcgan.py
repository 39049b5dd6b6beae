"""DCGAN (Radford et al. 2016), in the sizes of the joint confidence loss (Lee et al. 2018)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SMALLEST = 4  # pixels, at which the generator begins and the discriminator ends
DEVIATION = 0.02  # of all first weights, and of batch norm's about 1


class Generator(nn.Module):
    """Latents (n, L) -> images (n, 3, size, size) in [0, 1], which `enlarged` shows at another.

    Between the layers, which double the size, batch norm and ReLU; at the end a sigmoid.
    """

    enlarging: Tensor

    def __init__(self, latent: int, width: int, size: int, shown: int):
        super().__init__()
        channels = _channels(width, size)[::-1]
        layers = [_up(latent, channels[0], 1, 0), *_active(channels[0])]
        for inputs, outputs in pairwise(channels):
            layers += [_up(inputs, outputs, 2, 1), *_active(outputs)]
        self.layers = nn.Sequential(*layers, _up(channels[-1], 3, 2, 1))
        self.register_buffer("enlarging", _enlarging(size, shown), persistent=False)
        _initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """The images."""
        return torch.sigmoid(self.layers(latents[:, :, None, None]).float())

    def enlarged(self, images: Tensor) -> Tensor:
        """Images (n, 3, size, size) -> (n, 3, shown, shown), linearly along both sides."""
        with torch.autocast(images.device.type, enabled=False):
            return self.enlarging @ images @ self.enlarging.T


class Discriminator(nn.Module):
    """Images (n, 3, H, H) in [0, 1], looked at in `size` -> logits (n,) of "real".

    Between the layers, which halve the size, batch norm but for the first, and leaky ReLU.
    """

    def __init__(self, width: int, size: int):
        super().__init__()
        self.size = size
        channels = [3, *_channels(width, size)]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(channels):
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
            if inputs != 3:
                layers.append(nn.BatchNorm2d(outputs))
            layers.append(nn.LeakyReLU(0.2))
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], 1, SMALLEST, bias=False))
        _initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """The logits."""
        return self.layers(x).float().flatten()

    def seen(self, x: Tensor) -> Tensor:
        """Images (n, 3, H, H) as the discriminator looks at them: (n, 3, size, size)."""
        if x.shape[-1] == self.size:
            return x
        return F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)


def _channels(width: int, size: int) -> list[int]:
    """Of a discriminator's maps, from half the size down to SMALLEST."""
    return [width << i for i in range((size // SMALLEST).bit_length() - 1)]


def _up(inputs: int, outputs: int, stride: int, padding: int) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, SMALLEST, stride, padding, bias=False)


def _active(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()


def _enlarging(size: int, shown: int) -> Tensor:
    """The matrix (shown, size) of linear interpolation.

    Products have gradients that are the same each time, on every device.
    """
    each = torch.eye(size)[None]
    return F.interpolate(each, shown, mode="linear", align_corners=False)[0].T.contiguous()


@torch.no_grad()
def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, DEVIATION)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, DEVIATION)
