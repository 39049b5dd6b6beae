"""Random views of images for contrastive training, made on the device in batches."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.options import views

ASPECT = 3 / 4, 4 / 3  # width over height of a crop
GREY = (0.299, 0.587, 0.114)
LEAST_BLUR = 0.1


@dataclass(frozen=True, kw_only=True)
class Views(views.Views):
    """The views that its options allow."""

    def __call__(self, pixels: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """uint8 (n, 3, H, W) -> one view of each, float32 (n, 3, size, size) in [0, 1]."""
        return self.drawn(pixels.float() / 255, size, generator)

    def drawn(self, x: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """The same of images x (n, 3, H, W) in [0, 1]."""
        x = self._cropped(x, size, generator)
        shaded = self._shaded(x, generator).clamp(0, 1)
        if self.hue:
            shaded = turned(shaded, _uniform(x, generator, -self.hue, self.hue))
        x = shaded if self.jitter == 1 else self._some(self.jitter, shaded, x, generator)
        if self.grey:
            x = self._some(self.grey, _grey(x).expand_as(x), x, generator)
        return self._blurred(x, generator) if self.blur else x

    def _cropped(self, x: Tensor, size: int, generator: torch.Generator) -> Tensor:
        area = _uniform(x, generator, *self.crop_scale)
        aspect = _uniform(x, generator, *map(math.log, ASPECT)).exp()
        width = (area * aspect).sqrt().clamp(max=1)
        height = (area / aspect).sqrt().clamp(max=1)
        theta = x.new_zeros(len(x), 2, 3)
        theta[:, 0, 2] = _uniform(x, generator, -1, 1) * (1 - width)
        theta[:, 1, 2] = _uniform(x, generator, -1, 1) * (1 - height)
        if self.flip:
            width = torch.where(_uniform(x, generator, 0, 1) < 0.5, -width, width)
        theta[:, 0, 0], theta[:, 1, 1] = width, height
        places = F.affine_grid(theta, [len(x), 3, size, size], align_corners=False)
        return F.grid_sample(x, places, padding_mode="border", align_corners=False)

    def _shaded(self, x: Tensor, generator: torch.Generator) -> Tensor:
        factors = (
            _uniform(x, generator, 1 - change, 1 + change).reshape(-1, 1, 1, 1)
            for change in (self.brightness, self.contrast)
        )
        brightness, contrast = factors
        x = x * brightness
        mean = _grey(x).mean((2, 3), keepdim=True)
        x = mean + (x - mean) * contrast
        if not self.saturation:
            return x
        saturation = _uniform(x, generator, 1 - self.saturation, 1 + self.saturation)
        return torch.lerp(_grey(x), x, saturation.reshape(-1, 1, 1, 1))

    @staticmethod
    def _some(share: float, x: Tensor, otherwise: Tensor, generator: torch.Generator) -> Tensor:
        chosen = _uniform(x, generator, 0, 1) < share
        return torch.where(chosen.reshape(-1, 1, 1, 1), x, otherwise)

    def _blurred(self, x: Tensor, generator: torch.Generator) -> Tensor:
        deviation = _uniform(x, generator, LEAST_BLUR, self.blur)
        radius = math.ceil(2 * self.blur)
        distance = torch.arange(-radius, radius + 1, device=x.device)
        weights = torch.exp(-0.5 * (distance / deviation[:, None]) ** 2)
        weights = (weights / weights.sum(1, keepdim=True)).repeat_interleave(3, 0)
        flat = F.pad(x, (radius,) * 4, mode="replicate").flatten(0, 1)[None]
        flat = F.conv2d(flat, weights[:, None, None, :], groups=flat.shape[1])
        flat = F.conv2d(flat, weights[:, None, :, None], groups=flat.shape[1])
        return self._some(0.5, flat[0].unflatten(0, (-1, 3)), x, generator)


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Colours x (n, 3, H, W) in [0, 1] whose hue, of HSV, is moved by so many turns (n,)."""
    value = x.amax(1)
    chroma = value - x.amin(1)
    red, green, blue = x.unbind(1)
    of = torch.where(chroma == 0, 1, chroma)
    sixths = torch.where(value == green, 2 + (blue - red) / of, 4 + (red - green) / of)
    sixths = torch.where(value == red, (green - blue) / of, sixths)
    sixths = sixths + 6 * turns.reshape(-1, 1, 1)
    places = ((start + sixths) % 6 for start in (5, 3, 1))
    return torch.stack([value - chroma * p.minimum(4 - p).clamp(0, 1) for p in places], 1)


def _grey(x: Tensor) -> Tensor:
    return (x * x.new_tensor(GREY).reshape(1, 3, 1, 1)).sum(1, keepdim=True)


def _uniform(x: Tensor, generator: torch.Generator, low: float, high: float) -> Tensor:
    drawn = torch.rand(len(x), generator=generator, device=x.device)
    return low + (high - low) * drawn
