"""Training images on the device as uint8, cropped, flipped and normalised in batches."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.images.feeding import Feeding, Request, Served
from penumbra.options.augment import Augment

TRIES = 10  # boxes drawn for a random resized crop before all that fits is taken
RATIO = 4 / 3  # a box is at most so much wider than high, or higher than wide
LOG_RATIO = math.log(RATIO)


class Feeder(Feeding):
    """Serves augmented batches of one labelled image set that lies on the device.

    As FN: horizontal flip, then a random crop of the zero-padded image, then normalisation. The
    padded set is stored as one row a pixel, so one gather does flip and crop together. With
    `crop_scale`, a random resized crop (Szegedy et al. 2015) takes the place of the padded one:
    a box of that share of the area, enlarged bilinearly to the whole size.

    Raises:
        PenumbraError: an option is not as `Augment` states it, as where both crops are asked for.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        labels: np.ndarray,
        normalisation: dict[str, list[float]],
        flip: bool,
        crop_padding: int,
        channels_last: bool,
        device: torch.device,
        crop_scale: tuple[float, float] | None = None,
    ):
        Augment(flip=flip, crop_padding=crop_padding, crop_scale=crop_scale)
        super().__init__(labels, tuple(pixels.shape[1:]), normalisation, channels_last, device)
        nhwc = torch.from_numpy(pixels).permute(0, 2, 3, 1)
        p = crop_padding
        padded = F.pad(nhwc, (0, 0, p, p, p, p)).contiguous().to(device)
        self.rows, self.columns = padded.shape[1:3]
        self.flat = padded.view(-1, padded.shape[3])
        self.flip, self.padding, self.crop_scale = flip, p, crop_scale

    def served(self, requests: Iterable[Request]) -> Iterator[Served]:
        """Each batch is made when it is asked for."""
        return (self.batch(rows, generator) for rows, generator in requests)

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Normalised float32 inputs (n, C, H, W) and labels (n,) of the rows, newly augmented."""
        padded = self.crop_scale is None
        draw = self._offsets if padded else self._boxes
        crop = self._padded_crop if padded else self._resized_crop
        drawn = draw(len(rows), generator)
        if self.flip:
            drawn += (torch.rand(len(rows), generator=generator, device=self.device) < 0.5,)
        return self.normalised(crop(rows, *drawn)), self.labels[rows]

    def _padded_crop(
        self, rows: Tensor, ys: Tensor, xs: Tensor, flips: Tensor | None = None
    ) -> Tensor:
        """Windows (n, H, W, C) of the padded images that begin at ys, xs (n,), 0 to 255."""
        n, (height, width) = len(rows), self.size
        y = ys[:, None] + torch.arange(height, device=self.device)
        x = xs[:, None] + torch.arange(width, device=self.device)
        x = _flipped(x, width + 2 * self.padding - 1, flips)
        line = rows[:, None] * self.rows + y
        pixel = line[:, :, None] * self.columns + x[:, None, :]
        patch = self.flat.index_select(0, pixel.reshape(-1)).float()
        return patch.reshape(n, height, width, self.shape[0])

    def _resized_crop(
        self,
        rows: Tensor,
        top: Tensor,
        left: Tensor,
        high: Tensor,
        wide: Tensor,
        flips: Tensor | None = None,
    ) -> Tensor:
        """Boxes (n,) of the images, interpolated to (n, H, W, C), 0 to 255."""
        height, width = self.size
        y = _sampled(top, high, height)
        x = _flipped(_sampled(left, wide, width), width - 1, flips)
        n = len(rows)
        places = torch.stack(
            [
                ((2 * x + 1) / width - 1)[:, None, :].expand(n, height, width),
                ((2 * y + 1) / height - 1)[:, :, None].expand(n, height, width),
            ],
            3,
        )
        images = self.flat.view(-1, height, width, self.shape[0]).index_select(0, rows)
        boxes = F.grid_sample(
            images.permute(0, 3, 1, 2).float(), places, padding_mode="border", align_corners=False
        )
        return boxes.permute(0, 2, 3, 1)

    def _boxes(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Top, left, height and width, each (n,) whole float32, as torchvision draws them.

        Area and logarithm of the ratio are uniform; of the tries, the first that fits is taken.
        """
        assert self.crop_scale is not None
        low, high = self.crop_scale
        height, width = self.size
        area, ratio, place = (
            torch.rand(n, count, generator=generator, device=self.device)
            for count in (TRIES, TRIES, 2)
        )
        area = (low + (high - low) * area) * (height * width)
        stretch = ((2 * ratio - 1) * LOG_RATIO).exp().sqrt()
        heights, widths = (area.sqrt() / stretch).round(), (area.sqrt() * stretch).round()
        fits = (heights <= height) & (widths <= width) & (heights >= 1) & (widths >= 1)
        chosen = fits.int().argmax(1, keepdim=True)  # the first of equals
        most = min(height, width) * math.exp(LOG_RATIO)
        none = ~fits.any(1)
        h = heights.gather(1, chosen)[:, 0].masked_fill(none, min(height, round(most)))
        w = widths.gather(1, chosen)[:, 0].masked_fill(none, min(width, round(most)))
        top = (place[:, 0] * (height - h + 1)).floor().minimum(height - h)
        left = (place[:, 1] * (width - w + 1)).floor().minimum(width - w)
        return top, left, h, w

    def _offsets(self, n: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Top and left (n,) of windows of the padded images."""
        high = 2 * self.padding + 1
        return tuple(
            torch.randint(high, (n,), generator=generator, device=self.device) for _ in range(2)
        )


def _flipped(x: Tensor, last: int, flips: Tensor | None) -> Tensor:
    """Columns x (n, W), mirrored within 0 … last where `flips` (n,) says so."""
    return x if flips is None else torch.where(flips[:, None], last - x, x)


def _sampled(start: Tensor, length: Tensor, count: int) -> Tensor:
    """Where `count` pixels read from boxes start, length (n,): (n, count), in pixels from 0.

    Pixel centres are half-way between whole numbers; nothing is read from outside the box.
    """
    centres = (torch.arange(count, device=start.device) + 0.5) / count
    inside = (centres * length[:, None] - 0.5).clamp(min=0)
    return start[:, None] + inside.minimum(length[:, None] - 1)
