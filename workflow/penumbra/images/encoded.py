"""Encoded images in Parquet files: listed without their bytes, read a row group at a time."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL

KEPT = 2  # row groups: threads that go on in order are at the end of one and the start of the next


class Cache:
    """The encoded images of the row groups that were used last, KEPT of them at most."""

    def __init__(self) -> None:
        self._kept: dict[RowGroup, pa.ChunkedArray] = {}  # what was used last comes last
        self._lock = threading.Lock()

    def images(self, group: "RowGroup") -> pa.ChunkedArray:
        """The bytes of a row group's images; threads that want the same one read it once."""
        with self._lock:
            found = self._kept.pop(group, None)
            if found is None:
                while len(self._kept) >= KEPT:  # first, so that no more are ever held at once
                    del self._kept[next(iter(self._kept))]
                found = read(group.file, group.number)
            self._kept[group] = found
            return found


class RowGroup(NamedTuple):
    """One row group of a file, by number."""

    file: Path
    number: int


class Encoded(NamedTuple):
    """One image, to be read when it is asked for."""

    cache: Cache
    group: RowGroup
    row: int

    def encoded(self) -> bytes:
        """Its bytes as its format has them; none where the file has none."""
        return self.cache.images(self.group)[self.row].as_py() or b""


def read(file: Path, number: int) -> pa.ChunkedArray:
    """The bytes of all images of one row group."""
    with pq.ParquetFile(file) as opened:
        images = opened.read_row_group(number, columns=["image.bytes"])["image"]
    return pa.chunked_array([chunk.field("bytes") for chunk in images.chunks])


def listed(files: tuple[Path, ...]) -> tuple[list[tuple[str, Encoded, int]], list[str]]:
    """Origin, image and label of all rows in order, and the class names that the files state.

    Columns `image` (a struct of `bytes` and `path`) and, where there are labels, `label`.

    Raises:
        PenumbraError: a file is no Parquet file.
    """
    cache = Cache()
    rows: list[tuple[str, Encoded, int]] = []
    classes: list[str] = []
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                rows += _rows(opened, file, cache)
                names = (opened.schema_arrow.metadata or {}).get(b"classes", b"").decode()
        except (pa.ArrowInvalid, OSError) as error:
            raise PenumbraError(
                f"unreadable {file}: {error}; replace the file, then call snakemake again"
            ) from error
        classes = names.split(",") if names else classes
    return rows, classes


def _rows(opened: pq.ParquetFile, file: Path, cache: Cache) -> Iterator[tuple[str, Encoded, int]]:
    table = opened.read(columns=["image.path", "label"])
    paths = (path for chunk in table["image"].chunks for path in chunk.field("path").to_pylist())
    labelled = "label" in table.column_names
    labels = table["label"].to_pylist() if labelled else [NO_LABEL] * len(table)
    meta = opened.metadata
    groups = (RowGroup(file, number) for number in range(meta.num_row_groups))
    images = (
        Encoded(cache, group, row)
        for group in groups
        for row in range(meta.row_group(group.number).num_rows)
    )
    for i, (path, image, label) in enumerate(zip(paths, images, labels, strict=True)):
        yield f"{file.name}[{i}] {path or ''}".strip(), image, label
