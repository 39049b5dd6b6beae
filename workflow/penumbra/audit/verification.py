"""Whether all artifacts of a folder may be used: whole, in their place, and of what they say."""

import functools
from collections.abc import Callable
from functools import partial
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.chosen import Digest, chosen, tables
from penumbra.store import origins, seals
from penumbra.store.artifacts import DATA, place, provenance_of
from penumbra.store.files import sha256


def whole_digest(path: Path) -> str | None:
    """The digest that an input is recorded by: its seal, else that of all its bytes.

    None for a damaged artifact, of which its own check tells.
    """
    is_ours = path.suffix in seals.CARRIERS and place(path)
    return seals.sealed(path) or (None if is_ours else sha256(path))


def verify(folder: Path, is_with_data: bool = False, root: Path | None = None) -> str:
    """Check the seal, the place and the inputs of every artifact below a folder.

    With data, every image set is read anew from the data sets in `root`, and compared.

    Raises:
        PenumbraError: names all that must not be used, and what remakes each; or there is no such
            folder.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "there is no such folder"
        raise PenumbraError(f"{folder}: {what}; name the folder of results, or one above it")
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in seals.CARRIERS]
    if not files:
        raise PenumbraError(f"{folder}: holds no artifacts")
    checks = _checks(is_with_data, root)
    refused = [error for file in files if (error := _refusal(file, checks))]
    if refused:
        raise PenumbraError(f"{len(refused)} of {len(files)} artifacts\n" + "\n".join(refused))
    return (
        f"{folder}: {len(files)} artifacts, all as they were written, where they were written, "
        "from the inputs that are there"
    )


def _checks(is_with_data: bool, root: Path | None) -> list[Callable[[Path], object]]:
    # Many artifacts have the same inputs, and a file of weights may hold gigabytes.
    once = functools.cache(whole_digest)
    data = [partial(check_data, root=root)] if is_with_data else []
    return [partial(seals.check, ours=True), partial(origins.check, digest_of=once), *data]


def _refusal(file: Path, checks: list[Callable[[Path], object]]) -> str | None:
    try:
        for check_one in checks:
            check_one(file)
    except PenumbraError as error:
        return str(error)
    return None


def check_data(path: Path, root: Path | None) -> None:
    """Read an image set anew and compare; artifacts of other rules are passed over.

    Raises:
        PenumbraError: the data set's files are others than those that were read, or not there.
    """
    made = provenance_of(path)
    if made["rule"] != "images":
        return
    digest = Digest()
    for _ in tables(made["config"], chosen(made["config"], root), 1, digest):
        pass
    if digest.hex() != made[DATA]:
        raise PenumbraError(
            f"{path}: the files of data set {made['config']['dataset_name']} have changed since "
            f"they were read; {seals.remake(path)}"
        )
