"""The outliers that a detector trains on, out of an outlier set."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penumbra.calibration.crossfit import fold_of
from penumbra.outliers.store import kept_names, pixels_of


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
    kept = {name for shard in shards for name in shard["outlier"].to_pylist()}
    if selection is not None:
        kept &= kept_names(selection)
    if fold is not None:
        names = sorted(kept)
        folds = fold_of(names, fold[1])
        kept = {name for name, of in zip(names, folds, strict=True) if of != fold[0]}
    return pixels_of(shards, size, kept)
