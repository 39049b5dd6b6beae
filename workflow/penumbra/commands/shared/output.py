"""Whether a file that a command is to write can be written, asked before any work is done."""

import os
from collections.abc import Collection
from pathlib import Path

from penumbra.errors import PenumbraError


def check(file: Path, suffixes: Collection[str]) -> None:
    """Refuse a file of another suffix, or in a folder that is not there or cannot be written to.

    Raises:
        PenumbraError: naming the file and what it may be.
    """
    if file.suffix not in suffixes:
        raise PenumbraError(f"{file}: it is written as {' or '.join(suffixes)}; name it so")
    if file.is_dir():
        raise PenumbraError(f"{file}: a folder is there; name a file")
    if not file.parent.is_dir():
        raise PenumbraError(f"{file}: there is no folder {file.parent}")
    if not os.access(file.parent, os.W_OK):
        raise PenumbraError(f"{file}: the folder cannot be written to; name another one")
