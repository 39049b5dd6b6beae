"""Encoded outliers in one file, so that a training reads any of them at once.

A row group of an outlier set's shard holds thousands, and Parquet is read a row group at a time.
"""

import io
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError, UnreadableError
from penumbra.images.decode import reason, rgb
from penumbra.outliers.store import check_any, resized


class Spool:
    """Outliers (N) of `shape` (3, size, size), in a file that is gone when the process ends.

    In memory are a name and a place each.
    """

    def __init__(self, folder: Path, size: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.shape, self.ends = (3, size, size), [0]
        self.names: list[str] = []
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

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
        try:
            for name, data in rows:
                self._file.write(data)
                self.names.append(name)
                self.ends.append(self.ends[-1] + len(data))
            self._file.flush()
        except OSError as error:
            raise PenumbraError(
                f"{self._folder}: the outliers cannot be copied there ({error.strerror}); free "
                "some space, then call snakemake again"
            ) from error

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
        data = os.pread(self._file.fileno(), end - start, start)
        try:
            return rgb(io.BytesIO(data))
        except Exception as error:  # decoders raise anything where bytes are damaged
            raise UnreadableError(
                f"outlier {self.names[i]}: {reason(error)}; synthesise its shard anew"
            ) from error

    def square(self, image: Image.Image) -> Image.Image:
        """An outlier at its size, bicubic and antialiased."""
        return resized(image, self.shape[1])
