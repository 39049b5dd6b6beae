"""Images chosen so that classes weigh alike."""

import numpy as np


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
