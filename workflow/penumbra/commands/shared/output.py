"""Whether a file that a command is to write can be written, asked before any work is done."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path

from penumbra.errors import PenumbraError


def check(file: Path, suffixes: Collection[str], read: Iterable[Path] = ()) -> None:
    """Refuse a file of another suffix, or in a folder that is not there or cannot be written to.

    Nor may it be a file that the call reads, or an artifact of a world.

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
    check_kept(file, read)


def check_kept(file: Path, read: Iterable[Path]) -> None:
    """Refuse to write over a file that the call reads, or over an artifact of a world.

    Raises:
        PenumbraError: naming the file.
    """
    if not file.exists():
        return
    if any(one.exists() and one.samefile(file) for one in read):
        raise PenumbraError(f"{file}: this call reads it, and would write over it; name another")
    if is_artifact(file):
        raise PenumbraError(
            f"{file}: an artifact of a world is there, which later jobs read; name another file"
        )


def is_artifact(file: Path) -> bool:
    """Whether a rule wrote a file, and it is no detector that somebody exported."""
    from penumbra.store.artifacts import provenance_of  # slow to import

    try:
        return provenance_of(file).get("rule") != "detectors"
    except PenumbraError:
        return False
