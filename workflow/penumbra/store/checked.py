"""Large artifacts are read whole once, and not again by every job that they are an input of.

Beside an artifact whose digest was checked lies a hidden note of that digest and of what the file
system said of the file. While it says the same, the digest holds: whoever writes a byte, or puts
another file there, changes the time of the last change, which no program can set.
"""

import contextlib
import json
import os
import time
from pathlib import Path

from penumbra.store import seals
from penumbra.store.artifacts import place
from penumbra.store.files import write_text

LEAST = 2**24  # bytes; smaller files are read in less time than a note takes
# Nanoseconds: a file that changed later than this before the check could change again and have the
# same time, as file systems count in steps.
SETTLED = 2 * 10**9


def digest(path: Path) -> str:
    """The digest of a file that a job is about to read, as `seals.check`.

    Raises:
        PenumbraError: the bytes are not those that were written, or there is no such file.
    """
    if not _is_large(path):
        return seals.check(path)
    note, state = _note(path), _state(path)
    stated = seals.sealed(path)
    with contextlib.suppress(OSError, ValueError):
        if stated and json.loads(note.read_text("utf-8")) == [stated, *state]:
            return stated
    began = time.time_ns()
    checked = seals.check(path)
    if stated == checked and state == _state(path) and began - max(state[1:3]) > SETTLED:
        with contextlib.suppress(OSError):  # a folder that is only read has no notes
            write_text(note, json.dumps([checked, *state]) + "\n")
    return checked


def remove(path: Path) -> None:
    """Remove a file, and its note where it has one."""
    path.unlink()
    _note(path).unlink(missing_ok=True)


def _is_large(path: Path) -> bool:
    return path.is_file() and place(path) is not None and path.stat().st_size >= LEAST


def _note(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _state(path: Path) -> list[int]:
    """Size, times of the last writing and of the last change, and the number of the file."""
    file = os.open(path, os.O_RDONLY)  # a network file system asks its server about opened files
    try:
        state = os.fstat(file)
    finally:
        os.close(file)
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
