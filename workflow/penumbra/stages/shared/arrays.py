"""Arrays of ID images out of a model's reading."""

from pathlib import Path

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.images.balanced import balanced
from penumbra.store import seals
from penumbra.store.artifacts import stream_parquet
from penumbra.store.columns import matrix, numbers


def images_arrays(
    path: Path, names: list[str], role: str, count: int | None
) -> dict[str, np.ndarray]:
    """The named arrays and labels of the images of a role, or of `count` balanced by class.

    Memory is that of those images and of one row group.

    Raises:
        PenumbraError: the model was read without such images.
    """
    stored = [numbers(rows["label"]) for rows in stream_parquet(path, ["label"], "role", [role])]
    if not stored:
        raise PenumbraError(f"{path}: holds no {role} images; {seals.remake(path)}")
    labels = np.concatenate(stored)
    chosen = balanced(labels, count)
    arrays = {"labels": labels[chosen]}
    start = 0
    for rows in stream_parquet(path, names, "role", [role]):
        low, high = np.searchsorted(chosen, [start, start + len(rows)])
        for name in names:
            values = matrix(rows[name])
            if name not in arrays:
                arrays[name] = np.empty((len(chosen), values.shape[1]), values.dtype)
            arrays[name][low:high] = values[chosen[low:high] - start]
        start += len(rows)
    return arrays
