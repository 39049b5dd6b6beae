"""Which training images outliers are sampled around, and at which guidance scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.seeds import derive

T = TypeVar("T")


@dataclass(frozen=True)
class Anchor:
    """One outlier to be made: row of its anchor image, class, scale, use of the image so far.

    `name` is the same whatever the other outliers, shards and batches; its draws are seeded by it.
    """

    row: int
    label: int
    scale: float
    use: int
    name: str

    def seed(self, base: int, purpose: str) -> int:
        """Seed of the outlier's own draws for one purpose (embedding, image)."""
        return derive("outlier", base, self.name, purpose)


def plan(
    labels: Sequence[int],
    origins: Sequence[str],
    classes: Sequence[str],
    scales: Sequence[float],
    per_class: int | None,
    cycle: bool,
) -> list[Anchor]:
    """The outliers of a set, sorted by class: one an image, or `per_class` of every class.

    Scales share a class's anchors evenly (badood, 4.3: one third of the anchors per scale).

    Raises:
        PenumbraError: a class has fewer images than outliers asked for, and `cycle` is off.
    """
    anchors = []
    places = np.asarray(labels)
    for label, name in enumerate(classes):
        rows = np.flatnonzero(places == label)
        wanted = len(rows) if per_class is None else per_class
        if wanted > len(rows) and not (cycle and len(rows)):
            raise PenumbraError(
                f"class {name}: {wanted} outliers are asked for and there are {len(rows)} anchors; "
                "lower per_class, or set cycle: true to use images again with new noise"
            )
        order = np.random.default_rng(derive("anchors", name)).permutation(rows)
        for i in range(wanted):
            row, use = int(order[i % len(rows)]), i // len(rows)
            scale = scales[i % len(scales)]
            key = f"{name}/{origins[row]}/{scale:g}/{use}"
            anchors.append(Anchor(row, label, scale, use, key))
    return anchors


def shard(outliers: Sequence[T], name: str) -> Sequence[T]:
    """The shard `name` = "<i>of<k>" of a set's outliers: k runs of nearly equal length.

    Raises:
        PenumbraError: the shard would be empty.
    """
    index, count = map(int, name.split("of"))
    start, stop = (len(outliers) * i // count for i in (index, index + 1))
    if start == stop:
        raise PenumbraError(
            f"{count} shards for {len(outliers)} outliers leave shard {index} empty; lower `shards`"
        )
    return outliers[start:stop]
