"""Bytes that a process puts aside on disk, in a file without a name."""

import os
import tempfile
from pathlib import Path

from penumbra.errors import PenumbraError


class Scratch:
    """A file in `folder` that grows at its end and is gone when the process ends.

    `what` names its content in messages: "the outliers cannot be copied".
    """

    def __init__(self, folder: Path, what: str):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._what = folder, what
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def add(self, data: bytes | memoryview) -> None:
        """Put bytes behind those that are there.

        Raises:
            PenumbraError: the disk is full.
        """
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise PenumbraError(
                f"{self._folder}: {self._what} there ({error.strerror}); free some space, then "
                "call snakemake again"
            ) from error

    def read(self, start: int, count: int) -> bytes:
        """Some of the bytes; several threads may ask at once."""
        return os.pread(self._file.fileno(), count, start)
