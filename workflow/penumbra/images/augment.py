"""Training images on the device as uint8, cropped, flipped and normalised in batches."""

import numpy as np
import torch
from torch import Tensor


class Feeder:
    """Serves augmented batches of one labelled image set that lies on the device.

    As FN: horizontal flip, then a random crop of the zero-padded image, then normalisation. The
    padded set is stored as one row a pixel, so one gather does flip and crop together.
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
    ):
        nhwc = torch.from_numpy(pixels).permute(0, 2, 3, 1)
        p = crop_padding
        padded = torch.nn.functional.pad(nhwc, (0, 0, p, p, p, p)).contiguous().to(device)
        self.rows, self.columns = padded.shape[1:3]
        self.flat = padded.view(-1, padded.shape[3])
        self.labels = torch.from_numpy(labels).to(device)
        self.size = pixels.shape[2:]
        self.flip, self.padding, self.channels_last = flip, p, channels_last
        mean = torch.tensor(normalisation["mean"], device=device)
        std = torch.tensor(normalisation["std"], device=device)
        self.scale, self.shift = 1 / (255 * std), -mean / std
        self.device = device

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Normalised float32 inputs (n, C, H, W) and labels (n,) of the rows, newly augmented."""
        n, (height, width) = len(rows), self.size
        ys, xs = self._offsets(n, generator), self._offsets(n, generator)
        y = ys[:, None] + torch.arange(height, device=self.device)
        x = xs[:, None] + torch.arange(width, device=self.device)
        if self.flip:
            flipped = torch.rand(n, generator=generator, device=self.device) < 0.5
            x = torch.where(flipped[:, None], width + 2 * self.padding - 1 - x, x)
        line = rows[:, None] * self.rows + y
        pixel = line[:, :, None] * self.columns + x[:, None, :]
        patch = self.flat.index_select(0, pixel.reshape(-1)).float()
        inputs = (patch * self.scale + self.shift).reshape(n, height, width, -1).permute(0, 3, 1, 2)
        return inputs if self.channels_last else inputs.contiguous(), self.labels[rows]

    def _offsets(self, n: int, generator: torch.Generator) -> Tensor:
        high = 2 * self.padding + 1
        return torch.randint(high, (n,), generator=generator, device=self.device)
