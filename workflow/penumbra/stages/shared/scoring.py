"""What the two stages share that score images: a scorer gives one real number per image."""

from collections.abc import Sequence

import numpy as np

from penumbra.errors import PenumbraError

REAL = "fiub"  # kinds of dtype: floating point, whole numbers, and true or false


def one_per_image(values: object, count: int, image_set: str) -> np.ndarray:
    """What a scorer of arrays returned for `count` images, as float64 of shape (count,).

    Raises:
        PenumbraError: it is of another shape, or holds no real numbers.
    """
    try:
        scores = np.asarray(values)
    except ValueError:  # lists of unequal lengths
        scores = np.asarray(values, object)
    require(scores.shape, count, image_set, None if scores.dtype.kind in REAL else scores.dtype)
    return scores.astype(np.float64, copy=False)


def require(shape: Sequence[int], count: int, image_set: str, wrong: object | None) -> None:
    """Refuse what is not one number for each of `count` images, or not real.

    `wrong` is the dtype where it holds no real numbers, else None.

    Raises:
        PenumbraError: names the image set, what was returned and what is wanted.
    """
    if tuple(shape) != (count,):
        raise PenumbraError(
            f"image set {image_set}: score() returned the shape {tuple(shape)}; it must return one "
            f"number per image, the shape ({count},)"
        )
    if wrong is not None:
        raise PenumbraError(
            f"image set {image_set}: score() returned the dtype {wrong}, not real numbers"
        )
