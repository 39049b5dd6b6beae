"""Image sets as tables: decoded pixels, label and origin of every image."""

import functools
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError
from penumbra.images.entries import Entries, Entry
from penumbra.images.originals import Originals, is_listed
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import column, numbers

GROUP = 64 * 2**20
# Images that all threads together decode in one go: some, as handing a thread its next one takes as
# long as a small image; few, as they should lie in two row groups of a file (`encoded.KEPT`).
AHEAD = 64


@dataclass(frozen=True)
class ImageSet:
    """Images of one data set and split: uint8 `pixels` (N, C, H, W), int `labels` (N,).

    A label is an index into `classes`, or -1 where the data set has none. `origins` tell where
    each image came from.
    """

    pixels: np.ndarray
    labels: np.ndarray
    origins: list[str]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image."""
        return self.pixels.shape[1:]  # type: ignore[return-value]


def evenly(total: int, count: int | None) -> np.ndarray:
    """`count` places spread over `total` rows, all where count is None or larger.

    Sets sorted by class are so sampled from every class.
    """
    count = total if count is None else min(count, total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def decoded(entries: Entries, threads: int = 1) -> Iterator[ImageSet]:
    """Images in row groups of GROUP bytes, so that a set of any size passes through little memory.

    At least one image; all of one shape. The bytes do not depend on `threads`.
    """
    first = entries.rows[0].pixels()
    step = max(1, GROUP // first.nbytes)
    with ThreadPoolExecutor(threads) as pool:  # PIL decodes and resizes outside the GIL
        for start in range(0, len(entries), step):
            chosen = entries.at(range(start, min(start + step, len(entries))))
            pixels = np.empty((len(chosen), *first.shape), np.uint8)
            fill = functools.partial(_decode, chosen.rows, pixels)
            for _ in pool.map(fill, _runs(chosen.rows, max(1, AHEAD // threads))):
                pass  # what a thread raised is raised here
            yield ImageSet(
                pixels, chosen.labels(), [row.origin for row in chosen.rows], chosen.classes
            )


def _runs(rows: list[Entry], length: int) -> list[list[int]]:
    """Which rows a thread decodes in one go, in the order that they lie in their files.

    So a file is read once a row group, even where a sample was drawn from it in another order.
    """
    order = sorted(range(len(rows)), key=lambda i: rows[i].place)
    return [order[start : start + length] for start in range(0, len(order), length)]


def _decode(rows: list[Entry], pixels: np.ndarray, places: list[int]) -> None:
    """Put the images at some places of `rows` where `pixels` (n, 3, H, W) has them."""
    for i in places:
        pixels[i] = rows[i].pixels()


def to_table(images: ImageSet) -> pa.Table:
    """One row an image; shape and class names lie in the schema metadata."""
    n, *shape = images.pixels.shape
    flat = pa.py_buffer(np.ascontiguousarray(images.pixels))
    pixels = pa.FixedSizeBinaryArray.from_buffers(pa.binary(int(np.prod(shape))), n, [None, flat])
    columns = {
        "pixels": pixels,
        "label": column(images.labels),
        "origin": column(images.origins),
    }
    meta = {"shape": json.dumps(shape), "classes": json.dumps(images.classes)}
    return pa.table(columns).replace_schema_metadata(meta)


def pixel_chunks(table: pa.Table) -> Iterator[np.ndarray]:
    """The pixels of `to_table` in order, uint8 (n,), not copied."""
    for chunk in table["pixels"].chunks:
        width = chunk.type.byte_width
        yield np.frombuffer(chunk.buffers()[1], np.uint8, len(chunk) * width, chunk.offset * width)


def from_table(table: pa.Table) -> ImageSet:
    """The inverse of `to_table`, of any number of row groups; copies the pixels once.

    Of a listed set the images are decoded here, to the same pixels.

    Raises:
        UnreadableError: an image of a listed set is not as it was listed.
    """
    if is_listed(table.schema):
        rows = Originals(table)
        pixels = rows.pixels(range(len(rows)))
        return ImageSet(pixels, rows.labels, table["origin"].to_pylist(), rows.classes)
    meta = table.schema.metadata
    shape = json.loads(meta[b"shape"])
    pixels = np.empty((len(table), *shape), np.uint8)
    flat, start = pixels.reshape(-1), 0
    for chunk in pixel_chunks(table):
        flat[start : start + len(chunk)] = chunk
        start += len(chunk)
    labels = numbers(table["label"])
    return ImageSet(pixels, labels, table["origin"].to_pylist(), json.loads(meta[b"classes"]))


def opened(path: Path) -> ImageSet | Originals:
    """A whole image set: decoded, in memory, or as it is listed.

    Raises:
        PenumbraError: the file is corrupt or lacks provenance.
    """
    table = read_parquet(path)
    return Originals(table) if is_listed(table.schema) else from_table(table)


def row_group_sizes(path: Path) -> list[int]:
    """How many images each row group of a stored image set holds."""
    layout = pq.read_metadata(path)
    return [layout.row_group(i).num_rows for i in range(layout.num_row_groups)]


def row_group(path: Path, number: int) -> ImageSet:
    """One row group of a stored image set; the others are not read."""
    with pq.ParquetFile(path, memory_map=True) as file:
        return from_table(file.read_row_group(number))


def labels_of(path: Path) -> np.ndarray:
    """The labels (N,) of a stored image set, without reading its images."""
    with pq.ParquetFile(path, memory_map=True) as file:
        return numbers(file.read(columns=["label"])["label"])


def pixels_at(path: Path, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Some images of a stored image set: uint8 (n, 3, H, W) in the order of `rows`, n ≥ 1.

    Memory is that of those images and of one row group, or of the list where they are listed.

    Raises:
        PenumbraError: the set has no such row, or an image is not as it was listed.
    """
    ends = np.cumsum(row_group_sizes(path))
    if max(rows) >= ends[-1]:
        raise PenumbraError(f"{path}: image {max(rows)} is asked for, and it holds {ends[-1]}")
    if is_listed(pq.read_schema(path)):
        return Originals(read_parquet(path)).pixels(rows)
    group_of = np.searchsorted(ends, rows, side="right")
    pixels: np.ndarray | None = None
    for number in np.unique(group_of):
        images = row_group(path, int(number)).pixels
        if pixels is None:
            pixels = np.empty((len(rows), *images.shape[1:]), np.uint8)
        mine = np.flatnonzero(group_of == number)
        pixels[mine] = images[np.asarray(rows)[mine] - (ends[number] - len(images))]
    assert pixels is not None
    return pixels


def classes_of(path: Path) -> list[str]:
    """Class names of a stored image set, without reading its images."""
    return json.loads(pq.read_schema(path).metadata[b"classes"])
