"""A decoded image set whose pixels lie in a file of their own, for a training that streams."""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.image_set import classes_of, labels_of, row_group, row_group_sizes


class Unpacked:
    """The images of a decoded set, in order: int64 `labels` (N,), `classes`, `shape` (3, H, W).

    The file has no name and is gone when the process ends; in memory is one row group at a time.

    Raises:
        PenumbraError: the disk is full.
    """

    def __init__(self, path: Path, folder: Path):
        self.labels, self.classes = labels_of(path), classes_of(path)
        self.shape: tuple[int, int, int] = (0, 0, 0)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        try:
            for number in range(len(row_group_sizes(path))):
                images = row_group(path, number)
                self.shape = images.shape
                self._file.write(np.ascontiguousarray(images.pixels.transpose(0, 2, 3, 1)).data)
            self._file.flush()
        except OSError as error:
            raise PenumbraError(
                f"{folder}: the images of {path} cannot be unpacked there ({error.strerror}); free "
                "some space, then call snakemake again"
            ) from error

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, i: int) -> Image.Image:
        """An image in 8-bit RGB; several threads may ask at once."""
        channels, height, width = self.shape
        count = channels * height * width
        data = os.pread(self._file.fileno(), count, i * count)
        return Image.frombytes("RGB", (width, height), data)

    def square(self, image: Image.Image) -> Image.Image:
        """The image itself, which has the set's size."""
        return image
