"""Places (slides, tiles of a map) that are split, so that no place is in two splits."""

import numpy as np

from penumbra.seeds import derive


def drawn(count: int, share: tuple[float, float], *names: object) -> list[int]:
    """Of `count` places, in a random order that `names` tell, those between two shares; ascending.

    Shares that meet are disjoint and complete, whatever their number.
    """
    order = np.random.default_rng(derive("places", *names)).permutation(count)
    low, high = (round(bound * count) for bound in share)
    return sorted(int(i) for i in order[low:high])
