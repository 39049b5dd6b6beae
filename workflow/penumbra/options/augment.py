"""How training images of a classifier are augmented."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Rising, at_least

# Least and largest share of the area.
AreaShare = Annotated[float, Bound(0, 1, open_low=True)]
CropScale = Annotated[tuple[AreaShare, AreaShare], Rising()]


@dataclass(frozen=True, kw_only=True)
class Augment(check.Options):
    """A flip, and one of two random crops."""

    OWNER = "augment"

    flip: bool
    """Horizontal flip with probability one half."""
    crop_padding: Annotated[int, at_least(0)]
    """Zero padding in pixels, of which a window of the image's size is cut at random."""
    crop_scale: CropScale | None = None
    """Random resized crop in the padded crop's place: least and largest share of the area."""

    def together(self) -> Iterator[tuple[str, str]]:
        """One kind of crop."""
        if self.crop_padding and self.crop_scale:
            yield (
                "crop_scale",
                "crop_scale and crop_padding exclude each other; set one to null or 0",
            )
