"""What the stages share that fit scorers and apply them: columns, and arrays beside the images'."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.evaluation.finite import check
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import read_arrays

KEYS = ("image_set", "role", "index", "label")
HEAD = {"weight": "model.fc.weight", "bias": "model.fc.bias"}


def fixed_arrays(job: Job) -> dict[str, np.ndarray]:
    """The last layer's `weight` (C, D) and `bias` (C,), and what the scorer was fitted to.

    A last layer without bias, as a cosine head has none, gets zeros.
    """
    arrays: dict[str, np.ndarray] = {}
    if "head" in job.inputs:
        head = read_arrays(job.input("head"), list(HEAD.values()))
        arrays = {name: head[key] for name, key in HEAD.items() if key in head}
        arrays.setdefault("bias", np.zeros(len(arrays["weight"]), arrays["weight"].dtype))
    if "fitted" in job.inputs:
        arrays |= read_arrays(job.input("fitted"))
    return arrays


def scored_model(job: Job) -> str:
    """Scorer and model, as messages name them."""
    model = "/".join(job.wildcards[key] for key in ("benchmark", "backbone", "recipe", "seed"))
    return f"scorer {job.wildcards['scorer']}, model {model}"


def refuse_infinite(job: Job, fitted: Mapping[str, np.ndarray]) -> None:
    """Refuse a fit that would give no finite score.

    Raises:
        PenumbraError: an array of it holds NaN or an infinity.
    """
    for name, value in fitted.items():
        if not np.isfinite(value).all():
            raise PenumbraError(f"{scored_model(job)}: {name} of its fit is not finite")


def checked(job: Job, values: np.ndarray, image_set: str) -> None:
    """Refuse NaN by name; say it where all images of a set score alike.

    Raises:
        PenumbraError: a score is NaN.
    """
    check(values, f"{scored_model(job)}, image set {image_set}")
    if len(values) > 1 and (values == values[0]).all():
        job.report(
            f"all {len(values)} scores of {image_set} are {values[0]:g}: it tells none apart"
        )


@contextmanager
def told(job: Job) -> Iterator[None]:
    """Errors of a scorer say which one, and of which model."""
    try:
        yield
    except PenumbraError as error:
        raise PenumbraError(f"{scored_model(job)}: {error}") from error


def balanced(labels: np.ndarray, count: int | None) -> np.ndarray:
    """`count` of the places 0 … N-1, in order, as many of every class as can be.

    Places are spread evenly within a class; where classes do not divide `count`, the first ones
    get one more. All places where count is None or not below N.
    """
    if count is None or count >= len(labels):
        return np.arange(len(labels))
    places = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    share = _shares([len(own) for own in places], count)
    spread = (
        np.linspace(0, len(own), n, endpoint=False) for own, n in zip(places, share, strict=True)
    )
    chosen = [own[at.astype(np.int64)] for own, at in zip(places, spread, strict=True)]
    return np.sort(np.concatenate(chosen))


def _shares(sizes: list[int], count: int) -> list[int]:
    """How many of each class: equal but for what a class does not have."""
    shares = [0] * len(sizes)
    while count:
        open_ = [i for i, size in enumerate(sizes) if shares[i] < size]
        each = max(1, count // len(open_))
        for i in open_:
            more = min(each, sizes[i] - shares[i], count)
            shares[i] += more
            count -= more
    return shares
