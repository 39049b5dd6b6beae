"""What the scores of arrays share: blocks of rows, sums of exponentials, quantiles, Gaussians.

Logits are reduced as (C, n): numpy is slow along a short last axis. Exponentials are taken in the
precision of the logits and added up in float64, so float32 logits keep their ranks where a
float32 softmax is 1.
"""

from collections.abc import Callable, Iterator

import numpy as np

from penumbra.errors import PenumbraError

# A block of rows that is worked on at once: about so many entries, to stay near the cache, but no
# fewer rows than a product of matrices pays for.
ENTRIES, ROWS = 2**19, 512


def slices(rows: int, width: int) -> Iterator[slice]:
    """Consecutive blocks of rows that hold `width` entries each."""
    step = max(ROWS, ENTRIES // max(1, width))
    for start in range(0, rows, step):
        yield slice(start, start + step)


def by_rows(reduce: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """`reduce` of blocks of rows: arrays (N, …), each block (n, …) -> (n,); all in all (N,)."""
    reduced = np.empty(len(arrays[0]))
    for block in slices(len(reduced), max(array.shape[1] for array in arrays)):
        reduced[block] = reduce(*(array[block] for array in arrays))
    return reduced


def class_first(logits: np.ndarray) -> np.ndarray:
    """(n, C) -> (C, n), contiguous."""
    return np.ascontiguousarray(logits.T)


def head(weight: np.ndarray, bias: np.ndarray, features: np.ndarray) -> np.ndarray:
    """The last layer's logits: weight (C, D), bias (C,), features (n, D) -> (C, n)."""
    return weight @ features.T + bias[:, None]


def logsumexp(columns: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """T · log Σ_j exp(l_j / T): (C, n) -> (n,) float64."""
    terms, top = _exponentials(columns, temperature)
    return top + temperature * np.log(terms.sum(0, dtype=np.float64))


def max_softmax(columns: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """max_j softmax(l / T)_j: (C, n) -> (n,) float64 in [1/C, 1]."""
    terms, _ = _exponentials(columns, temperature)
    return 1 / terms.sum(0, dtype=np.float64)


def softmax(columns: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """softmax(l / T): (C, n) -> (C, n) float64."""
    terms, _ = _exponentials(columns, temperature)
    return terms / terms.sum(0, dtype=np.float64)


def _exponentials(columns: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """exp((l_j - max l) / T), (C, n), and max l, (n,)."""
    top = columns.max(0)
    terms = columns - top
    if temperature != 1:
        terms /= temperature
    return np.exp(terms, out=terms), top


def norms(rows: np.ndarray) -> np.ndarray:
    """Euclidean norms: (n, D) -> (n,) float64."""
    return np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows (N, D) over their norms, in their own dtype; a zero vector stays zero."""
    scaled = np.empty_like(rows)
    for block in slices(*rows.shape):
        size = norms(rows[block])
        size[size == 0] = 1
        np.divide(rows[block], size.astype(rows.dtype)[:, None], out=scaled[block])
    return scaled


def quantile(values: np.ndarray, percentile: float, who: str) -> float:
    """The percentile of all entries of an array, interpolated linearly; one copy is made.

    Raises:
        PenumbraError: `who`'s percentile is not in [0, 100], or an entry is not finite.
    """
    if not 0 <= percentile <= 100:
        raise PenumbraError(f"{who}: percentile {percentile:g} is not between 0 and 100")
    entries = values.flatten()
    finite(np.array([entries.min(), entries.max()]), who)
    place = (entries.size - 1) * percentile / 100
    low = int(place)
    entries.partition(low)
    interpolated = float(entries[low])
    if place > low:
        interpolated += (place - low) * (float(entries[low + 1 :].min()) - interpolated)
    return interpolated


def finite(values: np.ndarray, who: str) -> None:
    """Refuse to fit on what is not finite.

    Raises:
        PenumbraError: a NaN or an infinity, which comes from the images that `who` is fitted on.
    """
    if not np.isfinite(values).all():
        raise PenumbraError(
            f"{who}: features that it is fitted on are NaN or infinite; look at the model and at "
            "the images of its fit"
        )


def class_rows(labels: np.ndarray, who: str) -> list[np.ndarray]:
    """The rows of each class 0 … max(labels): (N,) -> indices, ascending.

    Raises:
        PenumbraError: no labels, a negative one, or a class without an image.
    """
    if not len(labels) or labels.min() < 0:
        raise PenumbraError(
            f"{who}: it is fitted on images whose classes are known; name such ones"
        )
    counts = np.bincount(labels)
    if not counts.all():
        raise PenumbraError(
            f"{who}: class {int(counts.argmin())} has no image among the {len(labels)} that it is "
            "fitted on; fit on more images"
        )
    return np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])


def class_means(features: np.ndarray, members: list[np.ndarray]) -> np.ndarray:
    """Mean features of each class: (N, D) and the rows of each of C classes -> (C, D) float64."""
    return np.stack([features[rows].mean(0, dtype=np.float64) for rows in members])


def second_moment(
    features: np.ndarray, centre: np.ndarray, labels: np.ndarray | None = None
) -> np.ndarray:
    """Mean of (z - c)(z - c)ᵀ over features (N, D): (D, D) float64.

    The centre c is (D,), or with labels (N,) that of the image's class, out of (C, D).
    """
    width = features.shape[1]
    total = np.zeros((width, width))
    for block in slices(*features.shape):
        apart = features[block] - (centre if labels is None else centre[labels[block]])
        total += apart.T @ apart
    return total / len(features)


def spectrum(moment: np.ndarray, who: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Eigenvalues (D,), ascending, and eigenvectors, columns of (D, D), of a symmetric matrix.

    Third comes the size up to which an eigenvalue is rounding: D · 2⁻⁵² of the largest one.

    Raises:
        PenumbraError: it is not finite.
    """
    finite(moment, who)
    values, vectors = np.linalg.eigh(moment)
    return values, vectors, len(values) * np.finfo(np.float64).eps * values[-1]


def whitening(covariance: np.ndarray, who: str) -> np.ndarray:
    """B (D, r) with B Bᵀ the pseudo-inverse of a covariance (D, D) of rank r.

    Directions in which the images of the fit do not vary, such as those of units that never are
    active, have no weight.

    Raises:
        PenumbraError: they vary in no direction.
    """
    values, vectors, rounding = spectrum(covariance, who)
    kept = values > max(rounding, 0)
    if not kept.any():
        raise PenumbraError(
            f"{who}: the features that it is fitted on do not vary within a class; fit on more "
            "images, or look at the model"
        )
    return vectors[:, kept] / np.sqrt(values[kept])


def principal_dim(width: int) -> int:
    """How many directions of `width` features ViM leaves out by default (Wang et al. 2022)."""
    if width >= 2048:
        return 1000
    return 512 if width >= 768 else width // 2
