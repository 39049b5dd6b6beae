"""Options of outliers that were made elsewhere and are given as images."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Names

PARTS: dict[str, tuple[str, ...]] = {}
SAMPLER = None


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Which images they are."""

    OWNER = "outlier set of kind images"

    images: Annotated[str, Names("image_sets")]
    """The image set that holds them. Where its classes have names of the benchmark's, outliers are
    of those; where its files have a column `embedding`, it comes along."""
