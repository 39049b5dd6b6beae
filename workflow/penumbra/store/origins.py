"""Whether an artifact is what its path says, and was made from the files that are there.

A seal shows that a file is whole. It does not show that the file lies where it was written, nor
that what it was made from is still the same: a copy of `energy.parquet` named `msp.parquet` has a
sound seal.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.store import seals
from penumbra.store.artifacts import ARTIFACT, place, provenance_of


def check(path: Path, digest_of: Callable[[Path], str | None] = seals.sealed) -> None:
    """Refuse an artifact in the wrong place, or made from inputs other than those that are there.

    `digest_of` gives the digest of an input that is there, or None where it is not to be compared:
    by default the one that the input itself states, which costs no reading of the whole file.

    Raises:
        PenumbraError: names the file, what it is instead, and what remakes it.
    """
    made = provenance_of(path)
    root = root_of(path, made)
    for name, recorded in made.get("inputs", {}).items():
        file = root / name
        there = digest_of(file) if file.is_file() else None
        if there not in (None, recorded):
            raise PenumbraError(
                f"{path}: was made from {name} when its digest was {recorded[:16]}; now it is "
                f"{there[:16]}, so that the two do not belong together; {seals.remake(path)}"
            )


def root_of(path: Path, made: Mapping[str, Any]) -> Path:
    """The folder that an artifact's recorded paths start from, seen from that of the call.

    Raises:
        PenumbraError: the artifact was not written under this path.
    """
    written, whole = made.get(ARTIFACT), os.path.abspath(path)
    if written is None or written != place(path):
        names = ", ".join(f"{key} {value}" for key, value in made["wildcards"].items())
        raise PenumbraError(
            f"{path}: is not what its path says: rule {made['rule']} wrote it as "
            f"{written or 'a file outside results'} ({names}); {_mend(path, written)}"
        )
    return Path(os.path.relpath(whole[: -len(written)]))


def _mend(path: Path, written: str | None) -> str:
    if written is None or seals.is_result(path):
        return seals.remake(path)
    return f"it is a copy: name the file in its place, {written}"
