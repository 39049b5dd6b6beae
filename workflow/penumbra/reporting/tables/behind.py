"""The files that a stored table was made from, as far as they are still those."""

from collections.abc import Iterable
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.store import checked, origins, seals
from penumbra.store.artifacts import provenance_of


def root_of(file: Path) -> Path:
    """The folder that the recorded names of the files behind an artifact start from.

    Raises:
        PenumbraError: the artifact is damaged or not where it was written, or files behind it are
            others by now.
    """
    checked.digest(file)
    origins.check(file, checked.digest)
    return origins.root_of(file, provenance_of(file))


def files_behind(file: Path, root: Path, names: Iterable[str]) -> list[Path]:
    """Those of the files below `root` that an artifact was made from, by their recorded names.

    Raises:
        PenumbraError: one is gone.
    """
    listed = [*names]
    for name in listed:
        if not (root / name).is_file():
            raise PenumbraError(
                f"{file}: what it was made from is gone: {name}; {seals.remake(name)}"
            )
    return [root / name for name in listed]
