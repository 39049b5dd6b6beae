"""Files that are whole or absent, and their digests."""

import errno
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from penumbra.errors import PenumbraError

ABANDONED = 3600  # seconds without a write after which another machine's temporary file is dead
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends without error.

    The bytes are on the disk before they have the name, so that no crash leaves half a file under
    it. Several processes may write one path at once; the last one wins.

    Raises:
        PenumbraError: the disk is full, or the user's quota spent; `path` is as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise PenumbraError(
            f"{path}: no space is left to write it ({os.strerror(error.errno)}); free some and "
            "call snakemake again; what is computed stays"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what killed writers of the same path left."""
    for stale in path.parent.glob(f".{path.name}.*.tmp"):
        host, _, pid = stale.name[len(path.name) + 2 : -len(".tmp")].rpartition(".")
        with_us = host == socket.gethostname() and pid.isdigit()
        try:
            alive = _runs(int(pid)) if with_us else time.time() - stale.stat().st_mtime < ABANDONED
        except FileNotFoundError:
            continue  # its writer has just ended
        if not alive:
            stale.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def write_text(path: str | Path, text: str) -> None:
    """Write `text` atomically as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256(path: str | Path) -> str:
    """The hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
