"""Encoded images in Parquet files: listed without their bytes, read a row group at a time."""

import threading
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL
from penumbra.images.names import check_classes, in_order, quoted
from penumbra.images.parquet import Columns, class_names, columns_of, labels_of, texts

KEPT = 2  # row groups: threads that go on in order are at the end of one and the start of the next


class Cache:
    """The encoded images of the row groups that were used last, KEPT of them at most."""

    def __init__(self) -> None:
        self._kept: dict[RowGroup, pa.ChunkedArray] = {}  # what was used last comes last
        self._lock = threading.Lock()

    def images(self, group: "RowGroup") -> pa.ChunkedArray:
        """The bytes of a row group's images; threads that want the same one read it once."""
        with self._lock:
            contents = self._kept.pop(group, None)
            if contents is None:
                while len(self._kept) >= KEPT:  # first, so that no more are ever held at once
                    del self._kept[next(iter(self._kept))]
                contents = read(group.file, group.number)
            self._kept[group] = contents
            return contents


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
        """Its bytes as its format has them.

        Raises:
            ValueError: the row has none, or several images.
        """
        value = self.cache.images(self.group)[self.row].as_py()
        if isinstance(value, list):
            if len(value) != 1:
                raise ValueError(f"its row holds {len(value)} images in place of one")
            value = value[0]
        if isinstance(value, dict):
            value = value.get("bytes")
        if value is None:
            raise ValueError(
                "its row has no bytes, and a path alone is not followed; write the image itself "
                "into the file"
            )
        return value


def read(file: Path, number: int) -> pa.ChunkedArray:
    """The bytes of all images of one row group; lists where the file has lists."""
    with pq.ParquetFile(file) as opened:
        columns = columns_of(opened, file, labelled=False)
        images = opened.read_row_group(number, columns=[columns.content])[columns.image]
    return pa.chunked_array([_contents(chunk) for chunk in images.chunks])


def _contents(chunk: pa.Array) -> pa.Array:
    chunk = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
    if not pa.types.is_struct(chunk.type):
        return chunk
    held = [field.name for field in chunk.type]
    return chunk.field("bytes") if "bytes" in held else pa.nulls(len(chunk), pa.binary())


def listed(
    files: tuple[Path, ...], labelled: bool = False
) -> tuple[list[tuple[str, Encoded, int]], list[str], list[str]]:
    """Origin, image and label of all rows in order, the files' class names, columns not read.

    Labels are numbers, or the class names themselves, whose classes are then numbered as folders
    would be. They are -1 where a set that is not labelled has none.

    Raises:
        PenumbraError: a file is no Parquet file, has no column of images or of labels that is
            plainly meant, states other classes than another, or has a label that is no class.
    """
    cache = Cache()
    rows: list[tuple[str, Encoded, int | str]] = []
    stated: dict[Path, list[str]] = {}
    unread: dict[str, None] = {}
    for file in files:
        if file.exists() and not file.is_file():
            raise PenumbraError(f"{file}: is no file; put the Parquet file itself there")
        try:
            with pq.ParquetFile(file) as opened:
                columns = columns_of(opened, file, labelled)
                stated[file] = class_names(opened, file, columns.label)
                rows += _rows(opened, file, columns, labelled, cache)
                names = opened.schema_arrow.names
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise PenumbraError(
                f"unreadable {file}: {error}; replace the file, then call snakemake again"
            ) from error
        unread |= dict.fromkeys(n for n in names if n not in (columns.image, columns.label))
    return *_numbered(rows, _agreed(stated)), list(unread)


def _agreed(stated: dict[Path, list[str]]) -> list[str]:
    """The class names that all files that state some have."""
    named = {file: names for file, names in stated.items() if names}
    for (first, one), (second, other) in pairwise(named.items()):
        if one != other:
            raise PenumbraError(
                f"{first} and {second}: files of one split with other class names, "
                f"{quoted(one)} and {quoted(other)}; write them with the same names in one order"
            )
    return next(iter(named.values()), [])


def _numbered(
    rows: list[tuple[str, Encoded, int | str]], classes: list[str]
) -> tuple[list[tuple[str, Encoded, int]], list[str]]:
    """Labels that are names as places among the classes."""
    names = {label for _, _, label in rows if isinstance(label, str)}
    if not names:
        return rows, classes  # type: ignore[return-value]
    classes = classes or in_order(names)
    check_classes(classes, rows[0][0])
    place = {name: i for i, name in enumerate(classes)}
    for origin, _, label in rows:
        if label not in place:
            raise PenumbraError(
                f"{origin}: its label {label!r} is none of the classes {quoted(classes)}; all "
                "labels are names of these, or all are numbers"
            )
    return [(origin, image, place[str(label)]) for origin, image, label in rows], classes


def _rows(
    opened: pq.ParquetFile, file: Path, columns: Columns, labelled: bool, cache: Cache
) -> Iterator[tuple[str, Encoded, int | str]]:
    wanted = [name for name in (columns.path, columns.label) if name]
    table = opened.read(columns=wanted)
    meta = opened.metadata
    paths: Iterable[str | None] = repeat("", meta.num_rows)
    if columns.path:
        inside = [chunk.field("path") for chunk in table[columns.image].chunks]
        kind = inside[0].type if inside else pa.string()
        paths = texts(pa.chunked_array(inside, kind), file, "path")
    labels: Iterable[int | str] = repeat(NO_LABEL, meta.num_rows)
    if columns.label:
        labels = labels_of(table[columns.label], file, columns.label, labelled)
    groups = (RowGroup(file, number) for number in range(meta.num_row_groups))
    images = (
        Encoded(cache, group, row)
        for group in groups
        for row in range(meta.row_group(group.number).num_rows)
    )
    for i, (path, image, label) in enumerate(zip(paths, images, labels, strict=True)):
        yield f"{file.name}[{i}] {path or ''}".strip(), image, label
