"""Image sets that are listed: where each image's encoded bytes lie, their length and digest.

Nothing is decoded before it is read: a training makes random crops of the whole original, and what
reads row groups gets the very pixels that a decoded set would hold.
"""

import functools
import hashlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from penumbra.errors import UnreadableError
from penumbra.images.decode import reason, rgb
from penumbra.images.encoded import Cache, Encoded, RowGroup
from penumbra.images.entries import DOWNLOAD, ROOT, WHOLE, Address, Entries, Entry
from penumbra.images.square import SQUARES, pixels
from penumbra.store.columns import column, numbers

THREADS = "OMP_NUM_THREADS"  # Snakemake sets it to those of the rule
DIGEST = 32  # bytes, of SHA-256
RUN = 16  # images that a thread takes at once


def data_root() -> Path | None:
    """The folder of the data sets, where the call named one."""
    root = os.environ.get(ROOT)
    return Path(root) if root else None


def may_download() -> bool:
    """Whether the call lets torchvision fetch data sets that are not there."""
    return bool(os.environ.get(DOWNLOAD))


def threads() -> int:
    """How many threads decode in this process."""
    return int(os.environ.get(THREADS, "1"))


class Originals:
    """The images of a listed set, in order: int64 `labels` (N,), `classes`, `shape` (3, H, W).

    `columns` are those of `to_table`; memory is theirs, and one row group of encoded images where
    they lie in Parquet files.
    """

    def __init__(self, table: pa.Table):
        meta = table.schema.metadata
        self.name: str = json.loads(meta[b"image_set"])
        self.way: str = json.loads(meta[b"square"])
        self.shape: tuple[int, int, int] = tuple(json.loads(meta[b"shape"]))
        self.classes: list[str] = json.loads(meta[b"classes"])
        self.labels = numbers(table["label"])
        self._files, self._digests = (table[name].combine_chunks() for name in ("file", "digest"))
        self._groups, self._rows, self._lengths = (
            numbers(table[name]) for name in ("group", "row", "length")
        )
        self._root, self._cache = data_root(), Cache()

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, i: int) -> str:
        """Where an image lies, as messages tell it."""
        file, group = self._file(i), int(self._groups[i])
        return str(file) if group == WHOLE else f"{file} (row {self._rows[i]} of group {group})"

    def encoded(self, i: int) -> bytes:
        """An image's bytes, which are those that were listed.

        Raises:
            UnreadableError: they are not, or not there.
        """
        try:
            data = read(
                Address(self._file(i), int(self._groups[i]), int(self._rows[i])), self._cache
            )
        except Exception as error:  # as files of any kind are damaged
            raise self._refused(i, f"it cannot be read: {reason(error)}") from error
        if len(data) != self._lengths[i] or _digest(data) != self._digests[i].as_py():
            raise self._refused(
                i, f"its {len(data)} bytes are not the {self._lengths[i]} that were listed"
            )
        return data

    def image(self, i: int) -> Image.Image:
        """An image as it is, in 8-bit RGB.

        Raises:
            UnreadableError: its bytes are others than those listed, or can't be decoded.
        """
        return self.decoded(i, self.encoded(i))

    def decoded(self, i: int, data: bytes) -> Image.Image:
        """The same of the bytes of image `i`, where these are at hand.

        Raises:
            UnreadableError: they can't be decoded.
        """
        try:
            return rgb(io.BytesIO(data))
        except Exception as error:  # decoders raise anything where bytes are damaged
            raise self._refused(i, reason(error)) from error

    def square(self, image: Image.Image) -> Image.Image:
        """An image as the set's readings have it: (H, W)."""
        return SQUARES[self.way](image, self.shape[1])

    def pixels(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Images as a decoded set has them: uint8 (n, 3, H, W) in the order of `rows`.

        Raises:
            UnreadableError: as `image` does; also for one that is too long for its breadth.
        """
        made = np.empty((len(rows), *self.shape), np.uint8)
        fill = functools.partial(self._fill, rows, made)
        starts = range(0, len(rows), RUN)
        with ThreadPoolExecutor(threads()) as pool:  # PIL decodes and resizes outside the GIL
            for _ in pool.map(fill, starts):
                pass  # what a thread raised is raised here
        return made

    def _fill(self, rows: Sequence[int] | np.ndarray, made: np.ndarray, start: int) -> None:
        for i in range(start, min(start + RUN, len(rows))):
            image = self.image(rows[i])
            try:
                made[i] = pixels(image, self.way, self.shape[1])
            except ValueError as error:
                raise self._refused(rows[i], reason(error)) from error

    def _file(self, i: int) -> Path:
        file = Path(self._files[i].as_py())
        if file.is_absolute():
            return file
        if self._root is None:
            raise UnreadableError(
                f"image set {self.name} is listed, its images lie below the data root, and none is "
                f"named; set {ROOT} to it (snakemake does so from data_root)"
            )
        return self._root / file

    def _refused(self, i: int, why: str) -> UnreadableError:
        return UnreadableError(
            f"image set {self.name}: unreadable image {self.place(i)}: {why}; put the image back "
            "that was listed and call snakemake again, which goes on from there, or delete the "
            f"list (images/{self.name}.parquet), so that it is made anew"
        )


def read(address: Address, cache: Cache) -> bytes:
    """The encoded bytes at an address; of Parquet files their row group is read.

    Raises:
        ValueError: the row has none, or several images. OSError and errors of Arrow, too.
    """
    if address.group == WHOLE:
        return address.file.read_bytes()
    return Encoded(cache, RowGroup(address.file, address.group), address.row).encoded()


def is_listed(schema: pa.Schema) -> bool:
    """Whether a stored image set holds addresses in place of pixels."""
    return "digest" in schema.names


def to_tables(
    entries: Entries, name: str, way: str, size: int, each: int, workers: int
) -> Iterator[pa.Table]:
    """One row an image, in tables of `each`, as `Originals` reads them; made by `workers` threads.

    Every image is read and decoded once, so that one that can't be is told before work rests on it.

    Raises:
        UnreadableError: an image can't be read or decoded.
    """
    root, cache = data_root(), Cache()
    meta = {
        "image_set": json.dumps(name),
        "square": json.dumps(way),
        "shape": json.dumps([3, size, size]),
        "classes": json.dumps(entries.classes),
    }
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(entries), each):
            rows = entries.rows[start : start + each]
            measured = list(pool.map(functools.partial(_measured, name, cache), rows))
            addresses = [row.address for row in rows if row.address]
            columns = {
                "label": column(np.array([row.label for row in rows], np.int64)),
                "origin": column([row.origin for row in rows]),
                "file": column([_relative(address.file, root) for address in addresses]),
                "group": column(np.array([address.group for address in addresses], np.int32)),
                "row": column(np.array([address.row for address in addresses], np.int32)),
                "length": column(np.array([length for length, _ in measured], np.int64)),
                "digest": pa.array([digest for _, digest in measured], pa.binary(DIGEST)),
            }
            yield pa.table(columns).replace_schema_metadata(meta)


def _measured(name: str, cache: Cache, row: Entry) -> tuple[int, bytes]:
    """Length and digest of an image's bytes, which can be decoded."""
    if row.address is None:
        raise UnreadableError(
            f"image set {name}: {row.origin} is no encoded image, so it can't be listed; leave "
            f"image_sets.{name}.stored out"
        )
    try:
        data = read(row.address, cache)
        rgb(io.BytesIO(data))
    except Exception as error:  # decoders raise anything where bytes are damaged
        raise UnreadableError(
            f"unreadable image {row.address.file} ({row.origin}): {reason(error)}; replace the "
            "file, then call snakemake again"
        ) from error
    return len(data), _digest(data)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _relative(file: Path, root: Path | None) -> str:
    """Below the data root, so that the data sets may be moved; else as it is, absolute."""
    file = file.absolute()
    return str(file.relative_to(root)) if root and file.is_relative_to(root) else str(file)
