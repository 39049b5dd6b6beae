"""Options of the encoder, MoCo-v3, and of its contrastive training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.augment import CropScale
from penumbra.options.ranges import (
    Bound,
    Count,
    Divides,
    Multiple,
    NotNegative,
    Positive,
    Share,
)


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; the defaults are those of every published one.

    `width` is in quarters, each with the waves of a place's row or column; `patch` divides
    `image_size`, both in pixels.
    """

    OWNER = "encoder"

    width: Annotated[int, Bound(low=4), Multiple(4)]
    depth: Count
    heads: Count
    patch: Count = 16
    image_size: Count = 224
    projector: Count = 4096
    representation: Annotated[int, Bound(low=2)] = 256  # standardised, which one number is not

    def together(self) -> Iterator[tuple[str, str]]:
        """Heads share the width, patches the image."""
        yield from Divides().problems(vars(self))
        yield from Divides("patch", "image_size").problems(vars(self))


@dataclass(frozen=True, kw_only=True)
class Views(check.Options):
    """What may differ between two views of one image.

    crop_scale: least and largest share of the image's area; flip: mirror half of the views (not
    for digits); brightness, contrast: largest relative change; blur: largest deviation of a
    Gaussian in pixels, drawn for half of the views, 0 for none.
    """

    OWNER = "views"

    crop_scale: CropScale
    flip: bool
    brightness: Share
    contrast: Share
    blur: NotNegative


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """The recipe's switches; published for ViT: 0.2, 0.99 cosine, 4096, and the patches frozen.

    `momentum_schedule` cosine: to 1 at the last step.
    """

    OWNER = "objective of the encoder"

    temperature: Positive
    momentum: Share
    momentum_schedule: Literal["cosine", "constant"]
    predictor: Count
    views: Views
