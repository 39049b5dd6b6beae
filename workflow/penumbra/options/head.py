"""Last layers other than a linear one."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check

Similarity = Literal["cosine", "inner", "euclid"]


@dataclass(frozen=True, kw_only=True)
class Head(check.Options):
    """Generalised ODIN's head in place of the linear last layer."""

    OWNER = "the backbone's head"

    similarity: Similarity = "cosine"
    """What the numerator compares features and class weights by."""
