"""Options of a diffusion model of pixels, of its training, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.parts.dit import TRAINED_STEPS
from penumbra.options.ranges import Bound, Count, Multiple, Precision

GROUPS = 32  # of every GroupNorm; as many as channels where these are fewer
Rate = Annotated[float, Bound(0, 1, open_high=True)]


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The U-Net; the defaults are those of DDPM's for CIFAR-10 (Ho et al. 2020)."""

    OWNER = "ddpm"

    image_size: Count = 32
    """Pixels of an image's side; each level but the first halves it."""
    width: Annotated[int, Bound(low=2), Multiple(2)] = 128
    """Channels that the multipliers multiply; up to 32, or a multiple of 32."""
    multipliers: tuple[Count, ...] = (1, 2, 2, 2)
    """Of the channels, from the highest resolution to the lowest."""
    attention: tuple[bool, ...] = (False, True, False, False)
    """Of each level, whether it attends over all places; the middle does."""
    blocks: Count = 2
    """Residual blocks of each resolution."""
    dropout: Rate = 0.1
    """Share of the channels' numbers that training drops in a block."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Levels are of one number, halves are whole, and norms have whole groups."""
        levels = len(self.multipliers)
        if not levels or len(self.attention) != levels:
            yield (
                "attention",
                f"{len(self.attention)} levels in attention, {levels} in multipliers; say both of "
                "each level",
            )
        elif self.image_size % 2 ** (levels - 1):
            yield "image_size", f"{self.image_size} pixels cannot be halved {levels - 1} times"
        if self.width > GROUPS and self.width % GROUPS:
            yield "width", f"width {self.width} is above {GROUPS} and no multiple of it"


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """What may be done to an image before it is noised."""

    OWNER = "objective of the ddpm"

    flip: bool = False
    """Mirror images at random; published for CIFAR-10."""


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """How it makes images."""

    OWNER = "DDPM"

    steps: Annotated[int, Bound(2, TRAINED_STEPS)] = TRAINED_STEPS
    """Ancestral steps, evenly spread over the trained ones."""
    precision: Precision = "float32"
    """bfloat16 is autocast."""
