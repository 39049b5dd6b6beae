"""Last layers other than a linear one."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check

Similarity = Literal["cosine", "inner", "euclid"]


@dataclass(frozen=True, kw_only=True)
class Head(check.Options):
    """What the numerator of Generalised ODIN's head compares features and class weights by."""

    OWNER = "the backbone's head"

    similarity: Similarity = "cosine"
