"""What serves a training its images, from wherever they lie."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Request = tuple[Tensor, torch.Generator]  # rows (n,) of a batch, and what its draws come from
Served = tuple[Tensor, Tensor]  # normalised float32 inputs (n, C, H, W), labels (n,)


class Source(Protocol):
    """Encoded images (N) of one set, which threads read in any order: labels (N,), (C, H, W)."""

    @property
    def labels(self) -> np.ndarray: ...  # noqa: D102

    @property
    def shape(self) -> tuple[int, int, int]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def image(self, i: int) -> Image.Image:
        """An image as it is, in 8-bit RGB."""

    def square(self, image: Image.Image) -> Image.Image:
        """An image at the set's size."""


class Feeding(ABC):
    """Serves augmented batches of one labelled image set of `shape` (C, H, W) on `device`.

    `ahead` says that batches are made before their turn: then the generator of each is its own,
    and rows and generators are on the CPU, as `drawn_on` tells.
    """

    ahead = False

    def __init__(
        self,
        labels: np.ndarray,
        shape: tuple[int, ...],
        normalisation: dict[str, list[float]],
        channels_last: bool,
        device: torch.device,
    ):
        self.shape, self.size = shape, shape[1:]
        self.labels = torch.from_numpy(labels).to(device)
        self.device, self.channels_last = device, channels_last
        mean = torch.tensor(normalisation["mean"], device=device)
        std = torch.tensor(normalisation["std"], device=device)
        self.scale, self.shift = 1 / (255 * std), -mean / std

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def drawn_on(self) -> torch.device:
        """Where rows and generators of requests are."""
        return torch.device("cpu") if self.ahead else self.device

    @abstractmethod
    def served(self, requests: Iterable[Request]) -> Iterator[Served]:
        """The batches of the requests, in order, newly augmented."""

    def close(self) -> None:  # noqa: B027
        """End what was begun for batches that nobody asks for any more."""

    def normalised(self, patches: Tensor) -> Tensor:
        """uint8 (n, H, W, C), or float32 that nobody needs any more, as inputs (n, C, H, W).

        They are from 0 to 255, and on the device.
        """
        inputs = patches.float().mul_(self.scale).add_(self.shift).permute(0, 3, 1, 2)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return inputs.contiguous(memory_format=layout)
