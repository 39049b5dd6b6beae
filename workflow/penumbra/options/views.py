"""What may differ between two views of one image."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.augment import CropScale
from penumbra.options.ranges import NotNegative, Share, within


@dataclass(frozen=True, kw_only=True)
class Views(check.Options):
    """What may differ between two views of one image."""

    OWNER = "views"

    crop_scale: CropScale
    """Least and largest share of the image's area."""
    flip: bool
    """Mirror half of the views; not for digits."""
    brightness: Share
    """Largest relative change."""
    contrast: Share
    """Largest relative change."""
    saturation: Share = 0.0
    """Largest relative change."""
    hue: Annotated[float, within(0, 0.5)] = 0.0
    """Largest turn of the colour circle, in whole turns."""
    jitter: Share = 1.0
    """Share of the views in which brightness, contrast, saturation and hue change."""
    grey: Share = 0.0
    """Share of the views without colour."""
    blur: NotNegative
    """Largest deviation of a Gaussian in pixels, drawn for half of the views; 0 for none."""
