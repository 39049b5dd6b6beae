"""Encoded outliers in one file, so that a training reads any of them at once.

A row group of an outlier set's shard holds thousands, and Parquet is read a row group at a time.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from penumbra.errors import UnreadableError
from penumbra.images.decode import reason, rgb
from penumbra.outliers.store import check_any, resized
from penumbra.store.scratch import Scratch


class Spool:
    """Outliers (N) of `shape` (3, size, size), in a file that is gone when the process ends.

    In memory are a name and a place each.
    """

    def __init__(self, folder: Path, size: int):
        self.shape, self.ends = (3, size, size), [0]
        self.names: list[str] = []
        self._scratch = Scratch(folder, "the outliers cannot be copied")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def labels(self) -> np.ndarray:
        """Zeros (N,): outliers have no classes."""
        return np.zeros(len(self), np.int64)

    def add(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Put outliers behind those that are there: names, and images as PNG.

        Raises:
            PenumbraError: the disk is full.
        """
        for name, data in rows:
            self._scratch.add(data)
            self.names.append(name)
            self.ends.append(self.ends[-1] + len(data))

    def check(self) -> None:
        """Refuse to train on no outlier.

        Raises:
            PenumbraError: there are none.
        """
        check_any(len(self))

    def image(self, i: int) -> Image.Image:
        """An outlier in 8-bit RGB; several threads may ask at once.

        Raises:
            UnreadableError: it can't be decoded.
        """
        start, end = self.ends[i], self.ends[i + 1]
        data = self._scratch.read(start, end - start)
        try:
            return rgb(io.BytesIO(data))
        except Exception as error:  # decoders raise anything where bytes are damaged
            raise UnreadableError(
                f"outlier {self.names[i]}: {reason(error)}; synthesise its shard anew"
            ) from error

    def square(self, image: Image.Image) -> Image.Image:
        """An outlier at its size, bicubic and antialiased."""
        return resized(image, self.shape[1])
