"""Last layers other than a linear one."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Positive

Similarity = Literal["cosine", "inner", "euclid"]


@dataclass(frozen=True, kw_only=True)
class Head(check.Options):
    """A last layer that compares features with a weight of each class."""

    OWNER = "the recipe's head"

    similarity: Similarity = "cosine"
    """What features and class weights are compared by."""
    scale: Positive | None = None
    """Factor of the similarity, as of DML+'s cosine head; null divides it by a learned function of
    the features, as Generalised ODIN does."""
