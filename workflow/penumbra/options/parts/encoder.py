"""Options of the encoder, MoCo-v3, and of its contrastive training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import (
    Bound,
    Count,
    Divides,
    Multiple,
    Positive,
    Share,
)
from penumbra.options.views import Views


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; the defaults are those of every published one."""

    OWNER = "encoder"

    width: Annotated[int, Bound(low=4), Multiple(4)]
    """Channels, in quarters, each with the waves of a place's row or column."""
    depth: Count
    """Blocks."""
    heads: Count
    """Attention heads."""
    patch: Count = 16
    """Pixels of a token's side; it divides image_size."""
    image_size: Count = 224
    """Pixels of an image's side."""
    projector: Count = 4096
    """Width of the projector's hidden layers."""
    representation: Annotated[int, Bound(low=2)] = 256
    """Numbers of a representation; they are standardised, which one alone is not."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Heads share the width, patches the image."""
        yield from Divides().problems(vars(self))
        yield from Divides("patch", "image_size").problems(vars(self))


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """The recipe's switches; published for ViT: 0.2, 0.99 cosine, 4096, and the patches frozen."""

    OWNER = "objective of the encoder"

    temperature: Positive
    """Temperature of the contrastive loss."""
    momentum: Share
    """Momentum of the second encoder."""
    momentum_schedule: Literal["cosine", "constant"]
    """cosine: to 1 at the last step."""
    predictor: Count
    """Width of the predictor's hidden layer."""
    views: Views
    """What may differ between two views of one image."""
