"""A digest inside every artifact, so that a damaged file is refused and never used.

An artifact's text of provenance ends in a seal: the SHA-256 of the whole file, taken with zeros in
the seal's place. It is checked wherever a job is given the file.
"""

import hashlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from penumbra.errors import PenumbraError
from penumbra.home import FILE
from penumbra.store.files import sha256

MARK = b"seal-sha256:"
BLANK = (MARK + b"0" * 64).decode()  # where provenance is written, before the digest is known
SEAL = re.compile(MARK + b"([0-9a-f]{64})")
CHUNK = 2**22
PARQUET, CHECKPOINT = CARRIERS = ".parquet", ".safetensors"  # of files with provenance
RECORD = ".run.json"  # behind the name of such a file: what differs from run to run


def seal(path: Path, suffix: str) -> None:
    """Put the digest into a file that was written with BLANK in its header or footer."""
    with open(path, "r+b") as file:
        at, _ = _find(file, suffix)
        digest = _digest(file, at)
        file.seek(at)
        file.write(digest.encode())


def check(path: Path, ours: bool = False) -> str:
    """The digest of a file that a job is about to read, checked where the file is sealed.

    Files from elsewhere, such as published weights, have no seal; `ours` need one, and so does
    what lies below `results` as the rules name it.

    Raises:
        PenumbraError: the bytes are not those that were written, or there is no such file.
    """
    if not path.is_file():
        raise PenumbraError(f"{path}: not there; {remake(path)}")
    with open(path, "rb") as file:
        try:
            at, sealed = _find(file, path.suffix)
        except ValueError as error:
            inside = os.path.relpath(path).split(os.sep)[0] == "results"
            if path.suffix in CARRIERS and (ours or inside):
                raise damaged(path, str(error)) from error
            return sha256(path)
        digest = _digest(file, at)
    if digest != sealed:
        raise damaged(path, f"its bytes give {digest[:16]}, sealed as {sealed[:16]}")
    return digest


def sealed(path: Path) -> str | None:
    """The digest that a file states of itself, unchecked; None where it states none."""
    with open(path, "rb") as file:
        try:
            return _find(file, path.suffix)[1]
        except ValueError:
            return None


def damaged(path: str | Path, why: str) -> PenumbraError:
    """The error that names a damaged artifact and the command that remakes it."""
    return PenumbraError(f"{path}: damaged, or not of this project: {why}; {remake(path)}")


def is_result(path: str | Path) -> bool:
    """Whether a file lies below a folder `results`, so that a rule makes it."""
    return "results" in Path(os.path.abspath(path)).parts


def remake(path: str | Path) -> str:
    """How a file becomes whole again; only the caller knows the config of the call.

    What lies outside `results` was given, by hand or by an earlier call: no rule makes it.
    """
    if not is_result(path):
        return "it was given from outside, so that no rule makes it: put a whole copy there"
    outer, _, inner = os.path.abspath(path).rpartition("/results/")
    if os.path.isfile(os.path.join(outer, FILE)):
        world, target = map(shlex.quote, (outer, f"results/{inner}"))
        return f"remake it: penumbra run {world} {target} -- --force"
    command = f"snakemake --force {shlex.quote(str(path))} --cores 1"
    return f"remake it: {command} with the --configfile and --config of the call that made it"


def _find(file: BinaryIO, suffix: str) -> tuple[int, str]:
    """Where the one seal's digest begins, and the digest.

    Raises:
        ValueError: there is none, or the file's own frame is broken.
    """
    start, text = (_footer if suffix == PARQUET else _header)(file)
    seals = list(SEAL.finditer(text))
    if len(seals) != 1:
        raise ValueError("it carries no provenance")
    return start + seals[0].start(1), seals[0][1].decode()


def _footer(file: BinaryIO) -> tuple[int, bytes]:
    """Place and bytes of a Parquet file's metadata."""
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > size - 12:
        raise ValueError("it is no whole Parquet file")
    return file.seek(size - 8 - length), file.read(length)


def _header(file: BinaryIO) -> tuple[int, bytes]:
    """Place and bytes of a safetensors file's description."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ValueError("it is no whole safetensors file")
    return 8, file.read(length)


def _digest(file: BinaryIO, at: int) -> str:
    """SHA-256 of the file with zeros for the 64 characters at `at`."""
    digest = hashlib.sha256()
    file.seek(0)
    for chunk in _read(file, at):
        digest.update(chunk)
    digest.update(b"0" * 64)
    file.seek(at + 64)
    for chunk in _read(file):
        digest.update(chunk)
    return digest.hexdigest()


def _read(file: BinaryIO, until: int | None = None) -> Iterator[bytes]:
    while chunk := file.read(CHUNK if until is None else min(CHUNK, until - file.tell())):
        yield chunk
