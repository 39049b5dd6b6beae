"""A decoded image set whose pixels lie in a file of their own, for a training that streams."""

from pathlib import Path

import numpy as np
from PIL import Image

from penumbra.images.image_set import classes_of, labels_of, row_group, row_group_sizes
from penumbra.store.scratch import Scratch


class Unpacked:
    """The images of a decoded set, in order: int64 `labels` (N,), `classes`, `shape` (3, H, W).

    The file has no name and is gone when the process ends; in memory is one row group at a time.

    Raises:
        PenumbraError: the disk is full.
    """

    def __init__(self, path: Path, folder: Path):
        self.labels, self.classes = labels_of(path), classes_of(path)
        self.shape: tuple[int, int, int] = (0, 0, 0)
        self._scratch = Scratch(folder, f"the images of {path} cannot be unpacked")
        for number in range(len(row_group_sizes(path))):
            images = row_group(path, number)
            self.shape = images.shape
            self._scratch.add(np.ascontiguousarray(images.pixels.transpose(0, 2, 3, 1)).data)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, i: int) -> Image.Image:
        """An image in 8-bit RGB; several threads may ask at once."""
        channels, height, width = self.shape
        count = channels * height * width
        return Image.frombytes("RGB", (width, height), self._scratch.read(i * count, count))

    def square(self, image: Image.Image) -> Image.Image:
        """The image itself, which has the set's size."""
        return image
