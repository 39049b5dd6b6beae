"""The outliers that a detector trains on, out of an outlier set."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from penumbra.calibration.crossfit import fold_of
from penumbra.outliers.spool import Spool
from penumbra.outliers.store import kept_names, pixels_of
from penumbra.store.artifacts import read_parquet


def outlier_pixels(
    shards: Sequence[pa.Table],
    selection: pa.Table | None,
    fold: tuple[int, int] | None,
    size: int,
) -> np.ndarray:
    """uint8 (N, 3, size, size) of all outliers, or of those that the selection keeps.

    `fold` (i, k) leaves out fold i of k, which this detector judges later.

    Raises:
        PenumbraError: no outlier is left.
    """
    names = {name for shard in shards for name in shard["outlier"].to_pylist()}
    return pixels_of(shards, size, _kept(names, selection, fold))


def outlier_spool(
    shards: Sequence[Path],
    selection: pa.Table | None,
    fold: tuple[int, int] | None,
    size: int,
    folder: Path,
) -> Spool:
    """The same outliers, encoded, in an unnamed file of `folder`; in memory a shard at a time.

    Raises:
        PenumbraError: no outlier is left.
    """
    columns = (read_parquet(path, ["outlier"])["outlier"] for path in shards)
    kept = _kept({name for column in columns for name in column.to_pylist()}, selection, fold)
    spool = Spool(folder, size)
    for path in shards:
        shard = read_parquet(path, ["outlier", "image"])
        rows = zip(shard["outlier"].to_pylist(), shard["image"], strict=True)
        spool.add((name, data.as_py()) for name, data in rows if name in kept)
    spool.check()
    return spool


def _kept(
    names: Iterable[str], selection: pa.Table | None, fold: tuple[int, int] | None
) -> set[str]:
    """The names of the outliers that are trained on."""
    kept = set(names)
    if selection is not None:
        kept &= kept_names(selection)
    if fold is not None:
        ordered = sorted(kept)
        folds = fold_of(ordered, fold[1])
        kept = {name for name, of in zip(ordered, folds, strict=True) if of != fold[0]}
    return kept
