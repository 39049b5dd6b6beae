"""One seeded number a sample, from the sample's own key: the same in any order or shard."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.seeds import derive


def draws(keys: Sequence[object], *names: object) -> np.ndarray:
    """(N,) int64 in [0, 2^63), evenly spread; `names` say which draw, `keys` (N,) whose.

    Raises:
        PenumbraError: two samples share a key, and so would share every draw.
    """
    if len(set(keys)) < len(keys):
        key, count = Counter(keys).most_common(1)[0]
        raise PenumbraError(f"key {key!r} names {count} samples; keys must be unique")
    return np.array([derive(*names, key) for key in keys], dtype=np.int64)
