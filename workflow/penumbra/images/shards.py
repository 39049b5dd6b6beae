"""Image sets as tables: decoded pixels, label and origin of every image."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.columns import column, numbers
from penumbra.images.entries import Entries

PART = 64 * 2**20


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


def evenly(total: int, count: int | None) -> np.ndarray:
    """`count` places spread over `total` rows, all where count is None or larger.

    Sets sorted by class are so sampled from every class.
    """
    count = total if count is None else min(count, total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def decoded(entries: Entries, threads: int = 1) -> Iterator[ImageSet]:
    """The images in parts of PART bytes, so that a set of any size passes through little memory.

    At least one image; all of one shape. The bytes do not depend on `threads`.
    """
    first = entries.rows[0].pixels()
    step = max(1, PART // first.nbytes)
    with ThreadPoolExecutor(threads) as pool:  # PIL decodes and resizes outside the GIL
        for start in range(0, len(entries), step):
            part = entries.at(range(start, min(start + step, len(entries))))
            pixels = np.stack(list(pool.map(lambda row: row.pixels(), part.rows)))
            yield ImageSet(pixels, part.labels(), [row.origin for row in part.rows], part.classes)


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


def from_table(table: pa.Table) -> ImageSet:
    """The inverse of `to_table`, of any number of parts; copies the pixels once."""
    meta = table.schema.metadata
    shape = json.loads(meta[b"shape"])
    pixels = np.empty((len(table), *shape), np.uint8)
    flat, start = pixels.reshape(-1), 0
    for chunk in table["pixels"].chunks:
        size = len(chunk) * chunk.type.byte_width
        offset = chunk.offset * chunk.type.byte_width
        flat[start : start + size] = np.frombuffer(chunk.buffers()[1], np.uint8, size, offset)
        start += size
    labels = numbers(table["label"])
    return ImageSet(pixels, labels, table["origin"].to_pylist(), json.loads(meta[b"classes"]))


def classes_of(path: Path) -> list[str]:
    """Class names of a stored image set, without reading its images."""
    return json.loads(pq.read_schema(path).metadata[b"classes"])
