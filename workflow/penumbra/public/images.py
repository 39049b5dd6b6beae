"""A model's outputs for images, given as arrays: checked, each set alone and all together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from penumbra.errors import PenumbraError, unknown
from penumbra.public.numbers import WHOLE, numbers

MATRICES = ("logits", "features")
KEYS = (*MATRICES, "labels")
ALIASES = {"label": "labels"}  # as the workflow's artifacts call it
HEAD = ("weight", "bias")
# How far logits may lie from W z + b, as a share of their size, where both are given: far more
# than half precision moves them.
APART = 0.1
SUMS = 1e-2  # how far half precision moves the sum of some thousand probabilities
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Images:
    """Arrays (N, …) of one set of images by name, and all names that were given."""

    name: str
    arrays: Arrays
    given: tuple[str, ...]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def lacks(self, wanted: Iterable[str]) -> list[str]:
        """Which of the wanted arrays are not there."""
        return [name for name in wanted if name not in self.arrays]


def images(name: str, given: Mapping[str, Any], labelled: bool) -> Images:
    """Logits (N, C), features (N, D), as float32, and for `labelled` sets labels (N,).

    Other names are let be.

    Raises:
        PenumbraError: no mapping; neither logits nor features are there, an array is of another
            shape or dtype, not finite, or not as long as the others; logits are probabilities;
            labels are there under two names.
    """
    _check_mapping(given, name, "logits (N, C), features (N, D) or both")
    twice = [alias for alias, key in ALIASES.items() if labelled and {alias, key} <= {*given}]
    for alias in twice:
        raise PenumbraError(
            f"{name}: holds {alias} and {ALIASES[alias]}, two names of one array; leave one out"
        )
    renamed = {ALIASES.get(key, key): value for key, value in given.items()}
    arrays = {key: _matrix(renamed[key], f"{key} of {name}") for key in MATRICES if key in renamed}
    if "logits" in arrays:
        _check_logits(arrays["logits"], name)
    if not arrays:
        raise PenumbraError(
            f"{name}: holds neither logits nor features; it holds "
            f"{', '.join(map(str, given)) or 'nothing'}"
        )
    if labelled and "labels" in renamed:
        arrays["labels"] = _labels(renamed["labels"], f"labels of {name}")
    lengths = {key: len(array) for key, array in arrays.items()}
    if len({*lengths.values()}) > 1:
        told = ", ".join(f"{key} of {n}" for key, n in lengths.items())
        raise PenumbraError(f"{name}: {told} images; row i of each is about image i")
    return Images(name, arrays, tuple(map(str, given)))


def head(given: Mapping[str, Any] | None) -> Arrays:
    """The last layer: weight (C, D) and bias (C,), zeros where it has none; empty for None.

    Raises:
        PenumbraError: no mapping, another name, no weight, or shapes that do not belong together.
    """
    if given is None:
        return {}
    _check_mapping(given, "head", "weight (C, D) and bias (C,)")
    for key in given:
        if key not in HEAD:
            raise unknown("array", key, HEAD, "head")
    if "weight" not in given:
        raise PenumbraError("head: holds no weight; give weight (C, D) and bias (C,)")
    weight = _matrix(given["weight"], "weight of head")
    bias = given.get("bias", np.zeros(len(weight), np.float32))
    bias = _finite(numbers(bias, "bias of head"), "bias of head")
    if bias.shape != (len(weight),):
        raise PenumbraError(
            f"head: bias {bias.shape} does not belong to weight {weight.shape}; they are (C,) and "
            "(C, D) for C classes"
        )
    return {"weight": weight, "bias": bias}


def _check_mapping(given: object, what: str, wanted: str) -> None:
    if not isinstance(given, Mapping):
        raise PenumbraError(
            f"{what}: is of type {type(given).__name__}; give a mapping with {wanted} by name"
        )


def agree(fitted_on: list[Images], tested: list[Images], last: Arrays) -> None:
    """Refuse tests on what is fitted on, several models, labels of no class, and another's head.

    Raises:
        PenumbraError: names the sets and their numbers of classes or features, or the labels.
    """
    _check_apart(fitted_on, tested)
    sets = [*fitted_on, *tested]
    weight = last.get("weight")
    classes = _width(sets, "logits", "classes", None if weight is None else weight.shape[0])
    _width(sets, "features", "features", None if weight is None else weight.shape[1])
    for each in sets:
        if "labels" in each.arrays:
            _check_labels(each, classes)
        if weight is not None and not each.lacks(MATRICES):
            _check_head(each, last)


def _check_apart(fitted_on: list[Images], tested: list[Images]) -> None:
    """Refuse tests on the images that a scorer is fitted on, which would tell nothing.

    Two tested sets may be alike: that their AUROC is 50 % says it.
    """
    for one, other in product(fitted_on, tested):
        both = one.arrays.keys() & other.arrays.keys() & {*MATRICES}
        if both and all(np.array_equal(one.arrays[key], other.arrays[key]) for key in both):
            raise PenumbraError(
                f"{one.name} and {other.name} hold the same {' and '.join(sorted(both))}; give "
                "each images of its own"
            )


def _width(sets: list[Images], key: str, word: str, of_head: int | None) -> int | None:
    """How many classes or features all sets have; None where no array says."""
    widths = {f"{each.name} has": each.arrays[key].shape[1] for each in sets if key in each.arrays}
    if of_head is not None:
        widths["the head's weight has"] = of_head
    if len({*widths.values()}) > 1:
        told = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise PenumbraError(f"numbers of {word} differ: {told}; all arrays are of one model")
    return next(iter(widths.values()), None)


def _check_labels(of: Images, classes: int | None) -> None:
    labels = of.arrays["labels"]
    wrong = labels < 0 if classes is None else (labels < 0) | (labels >= classes)
    if wrong.any():
        place = int(wrong.argmax())
        told = "0 or more" if classes is None else f"0 to {classes - 1}, places in the logits"
        raise PenumbraError(
            f"labels of {of.name}: {labels[place]} at image {place}; labels are {told}"
        )


def _check_head(of: Images, last: Arrays) -> None:
    """Some images are enough: another layer's logits are all elsewhere."""
    logits, features = (of.arrays[key][:1000].astype(np.float64) for key in MATRICES)
    apart = features @ last["weight"].T + last["bias"] - logits
    share = float(np.sqrt((apart**2).mean() / max((logits**2).mean(), 1e-30)))
    if share > APART:
        raise PenumbraError(
            f"head: weight · features + bias lies {share:.0%} away from the logits of {of.name}; "
            "give the last layer of the model that gave them, and the features that it reads"
        )


def _check_logits(logits: np.ndarray, name: str) -> None:
    """Refuse what a softmax has been through: energies of it, and a second softmax, mislead."""
    if logits.shape[1] == 1:
        return
    is_softmax = (logits >= 0).all() and np.allclose(logits.sum(1), 1, atol=SUMS)
    is_log = (logits <= 0).all() and np.allclose(np.exp(logits).sum(1), 1, atol=SUMS)
    if is_softmax or is_log:
        what, of = ("log-probabilities", "exp of ") if is_log else ("probabilities", "")
        raise PenumbraError(
            f"logits of {name}: are {what}, as {of}each row sums to 1; give what the last layer "
            "gives before the softmax"
        )


def _matrix(given: Any, what: str) -> np.ndarray:
    array = numbers(given, what)
    if array.ndim != 2 or not array.size:
        raise PenumbraError(f"{what}: of shape {array.shape}; give one row an image, two axes")
    return _finite(array, what)


def _finite(array: np.ndarray, what: str) -> np.ndarray:
    """As float32, in which the workflow keeps them."""
    with np.errstate(over="ignore"):
        small = np.ascontiguousarray(array, dtype=np.float32)
    bad = ~np.isfinite(small)
    if bad.any():
        row = int(np.flatnonzero(bad.reshape(len(bad), -1).any(1))[0])
        raise PenumbraError(
            f"{what}: {int(bad.sum())} of {bad.size} numbers are NaN, infinite or beyond float32, "
            f"the first in row {row}"
        )
    return small


def _labels(given: Any, what: str) -> np.ndarray:
    array = numbers(given, what, WHOLE)
    if array.ndim != 1:
        raise PenumbraError(f"{what}: of shape {array.shape}; give one class an image, (N,)")
    return array.astype(np.int64)
