"""Image sets as tables: decoded pixels, label and origin of every image."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from penumbra.columns import column, numbers
from penumbra.errors import PenumbraError

NO_LABEL = -1


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

    def check(self, name: str) -> None:
        """Refuse an empty set and labels outside the class list.

        Raises:
            PenumbraError: naming the set and the first offending image.
        """
        if not len(self):
            raise PenumbraError(f"image set {name}: no images; check its split and class list")
        low = NO_LABEL if not self.classes else 0
        wrong = np.flatnonzero((self.labels < low) | (self.labels >= max(len(self.classes), 0)))
        wrong = wrong if self.classes else np.flatnonzero(self.labels != NO_LABEL)
        if wrong.size:
            i = int(wrong[0])
            raise PenumbraError(
                f"image set {name}: label {self.labels[i]} of {self.origins[i]} is out of range; "
                f"the set has {len(self.classes)} classes (0 to {len(self.classes) - 1})"
            )


def evenly(total: int, count: int | None) -> np.ndarray:
    """`count` places spread over `total` rows, all where count is None or larger.

    Sets sorted by class are so sampled from every class.
    """
    count = total if count is None else min(count, total)
    return np.linspace(0, total - 1, count).round().astype(np.int64)


def of_rows(rows: Iterable[tuple[str, np.ndarray, int]], classes: list[str]) -> ImageSet:
    """Stack (origin, pixels (C, H, W), label) rows."""
    listed = list(rows)
    pixels = np.stack([row[1] for row in listed]) if listed else np.empty((0, 3, 1, 1), np.uint8)
    labels = np.array([row[2] for row in listed], dtype=np.int64)
    return ImageSet(pixels, labels, [row[0] for row in listed], classes)


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
    """The inverse of `to_table`; copies the pixels once."""
    meta = table.schema.metadata
    shape = json.loads(meta[b"shape"])
    column = table["pixels"].combine_chunks()
    buffer = column.buffers()[1]
    size = int(np.prod(shape))
    flat = np.frombuffer(buffer, np.uint8)[column.offset * size :][: len(column) * size]
    pixels = flat.reshape(len(column), *shape).copy()
    labels = numbers(table["label"])
    return ImageSet(pixels, labels, table["origin"].to_pylist(), json.loads(meta[b"classes"]))
