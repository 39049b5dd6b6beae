"""Classes of one data set split into ID and OOD ones (adjacent OOD, Yang et al. 2025)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import at_least, between


@dataclass(frozen=True, kw_only=True)
class ClassSplit(check.Options):
    """Which classes of a data set are held out, and on which side of that an image set is."""

    OWNER = "class_split"

    side: Literal["id", "ood"]
    """id: the classes that are kept, and trained on; ood: those that are held out."""
    share: Annotated[float, between(0, 1)] = 0.25
    """Of the classes those that are held out, rounded."""
    draw: Annotated[int, at_least(0)] = 0
    """Number of the draw that tells which they are; each is another benchmark's."""
