"""Images of one data set and split before they are decoded."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penumbra.errors import PenumbraError

NO_LABEL = -1
# In the environment of jobs: the folder of the data sets, and whether what is not there is fetched.
ROOT = "PENUMBRA_DATA_ROOT"
DOWNLOAD = "PENUMBRA_DOWNLOAD"
DECODED, LISTED = "decoded", "listed"  # how an image set is stored
WHOLE = -1  # in place of a row group: the file is one image


class Address(NamedTuple):
    """Where an image lies encoded: a file of its own, or a row of a group of a Parquet file."""

    file: Path
    group: int = WHOLE
    row: int = 0


class Entry(NamedTuple):
    """One image: where it came from, its label, the call that decodes it, its place among others.

    `pixels()` gives uint8 (3, H, W). The label is an index into the set's classes, or -1. Files are
    read once through where images are decoded in the order of `place`. `address` is None for what
    lies nowhere encoded.
    """

    origin: str
    label: int
    pixels: Callable[[], np.ndarray]
    place: int = 0
    address: Address | None = None


@dataclass(frozen=True)
class Entries:
    """What a reader lists, in an order that depends on the data alone; classes by label."""

    rows: list[Entry]
    classes: list[str]

    def __len__(self) -> int:
        return len(self.rows)

    def labels(self) -> np.ndarray:
        """Labels (N,) as int64."""
        return np.array([row.label for row in self.rows], dtype=np.int64)

    def at(self, places: Iterable[int]) -> "Entries":
        """The rows at `places`, in that order, of the same classes."""
        return Entries([self.rows[i] for i in places], self.classes)

    def unlabelled(self) -> "Entries":
        """The same images without labels and classes."""
        return Entries([row._replace(label=NO_LABEL) for row in self.rows], [])

    def check(self, name: str) -> None:
        """Refuse an empty set and labels outside the class list.

        Raises:
            PenumbraError: naming the set and the first offending image.
        """
        if not self.rows:
            raise PenumbraError(f"image set {name}: no images; check its split and class list")
        valid = range(len(self.classes)) if self.classes else (NO_LABEL,)
        for row in self.rows:
            if row.label not in valid:
                last = len(self.classes) - 1
                has = f"{last + 1} classes (0 to {last})" if self.classes else "no classes"
                raise PenumbraError(
                    f"image set {name}: label {row.label} of {row.origin} is out of range; the set "
                    f"has {has}. Correct the label, or state the right number of classes"
                )
