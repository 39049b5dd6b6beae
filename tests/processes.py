"""Processes of one checkout alone, where tests of several may run side by side."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def working_in(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and command of every process whose working directory is a folder."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and Path(os.readlink(entry / "cwd")) == folder.resolve():
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                yield int(entry.name), command.split("\0")
