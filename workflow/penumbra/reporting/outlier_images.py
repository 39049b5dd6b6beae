"""Outliers and training images as figures need them: a few rows out of large artifacts."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from penumbra.errors import PenumbraError, unknown
from penumbra.images.image_set import labels_of, pixels_at
from penumbra.outliers.store import from_png
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import numbers


class OutlierSet:
    """All shards of an outlier set: `names`, `labels` (N,), `anchors` (N,); images when asked for.

    An anchor is a row of the training image set, a label an index into its classes; -1 is none.
    """

    def __init__(self, files: Sequence[Path]):
        self.files = files
        shards = [read_parquet(file, ["outlier", "label", "anchor"]) for file in files]
        self.names = [name for shard in shards for name in shard["outlier"].to_pylist()]
        self.labels = np.concatenate([numbers(shard["label"]) for shard in shards])
        self.anchors = np.concatenate([numbers(shard["anchor"]) for shard in shards])
        self._starts = np.cumsum([0, *map(len, shards)])

    def pixels(self, row: int, size: int | None = None) -> np.ndarray:
        """One image, uint8 (3, H, W), resized to size × size where given."""
        shard = int(np.searchsorted(self._starts, row, side="right")) - 1
        return from_png(_images(self.files[shard])[row - self._starts[shard]].as_py(), size)


@functools.lru_cache(maxsize=1)  # rows are asked for in order, and a shard fills memory
def _images(file: Path) -> pa.ChunkedArray:
    return read_parquet(file, ["image"])["image"]


def beside(images: Path, outliers: OutlierSet, rows: Sequence[int]) -> np.ndarray:
    """A training image of the class of some outliers: uint8 (n, 3, H, W).

    It is the outlier's anchor, or the class's first image where its kind has no anchors.

    Raises:
        PenumbraError: the outliers were made from another training set.
    """
    anchors = outliers.anchors[[*rows]]
    if (anchors < 0).any():
        labels = labels_of(images)
        first = [int(np.argmax(labels == outliers.labels[row])) for row in rows]
        anchors = np.where(anchors < 0, first, anchors)
    return anchor_pixels(images, anchors)


def anchor_pixels(images: Path, rows: Sequence[int] | np.ndarray) -> np.ndarray:
    """Some rows of a training set, as anchors name them: uint8 (n, 3, H, W).

    Raises:
        PenumbraError: the outliers were made from another training set.
    """
    try:
        return pixels_at(images, rows)
    except PenumbraError as error:
        raise PenumbraError(f"{error}; the outliers were made from another training set") from error


def places_of(classes: Sequence[str], names: Sequence[str], places: Sequence[int]) -> list[int]:
    """Labels of the classes that a figure shows: those of the `names`.

    Of a set that has none of them, as other worlds have, those at `places`.

    Raises:
        PenumbraError: the set has some of the names and not others, or none of either.
    """
    missing = [name for name in names if name not in classes]
    if names and not missing:
        return [classes.index(name) for name in names]
    if len(missing) < len(names):
        raise unknown("class", missing[0], classes, "figure, options.classes")
    labels = [place for place in places if place < len(classes)]
    if not labels:
        raise PenumbraError(
            f"figure: of classes {', '.join(names)} and places {list(places)} the image set, with "
            f"{len(classes)} classes, has none; change options.places"
        )
    return labels
