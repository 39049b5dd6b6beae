"""What a scorer may give: a finite fit, and one real number per image."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.evaluation.finite import check

REAL = "fiub"  # kinds of dtype: floating point, whole numbers, and true or false
HEAD = {"weight": "model.fc.weight", "bias": "model.fc.bias"}  # in checkpoints


def head_arrays(checkpoint: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The last layer's `weight` (C, D) and `bias` (C,), out of a model's checkpoint.

    A last layer without bias, as a cosine head has none, gets zeros.
    """
    arrays = {name: checkpoint[key] for name, key in HEAD.items() if key in checkpoint}
    arrays.setdefault("bias", np.zeros(len(arrays["weight"]), arrays["weight"].dtype))
    return arrays


def refuse_infinite(fitted: Iterable[tuple[str, np.ndarray]]) -> None:
    """Refuse arrays by name that would give no finite score.

    Raises:
        PenumbraError: one holds NaN or an infinity.
    """
    for name, value in fitted:
        if not np.isfinite(value).all():
            raise PenumbraError(f"{name} of its fit is not finite")


def one_per_image(returned: object, count: int, image_set: str) -> np.ndarray:
    """What a scorer of arrays returned for `count` images, as float64 of shape (count,).

    Raises:
        PenumbraError: it is of another shape, or holds no real numbers, or NaN.
    """
    try:
        scores = np.asarray(returned)
    except ValueError:  # lists of unequal lengths
        scores = np.asarray(returned, object)
    require(scores.shape, count, image_set, None if scores.dtype.kind in REAL else scores.dtype)
    scores = scores.astype(np.float64, copy=False)
    check(scores, f"image set {image_set}")
    return scores


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
