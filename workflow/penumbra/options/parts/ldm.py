"""Options of RCG's LDM-8, of its training, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.parts.dit import TRAINED_STEPS
from penumbra.options.ranges import Bound, Count, Divides, Multiple, Precision, Share


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The U-Net; published: the defaults.

    The latents and the representation are those of the parts that it uses.
    """

    OWNER = "ldm"

    width: Annotated[int, Bound(low=32), Multiple(32)] = 256
    """Channels that the multipliers multiply, in groups of 32, as its norms take them."""
    multipliers: tuple[Count, ...] = (1, 2, 4)
    """Of the channels, from the highest resolution to the lowest; each level halves the side."""
    attention: tuple[bool, ...] = (True, True, True)
    """Of each level, whether it attends to the representation; the middle does."""
    blocks: Count = 2
    """Residual blocks of each resolution."""
    head_width: Count = 32
    """Channels of an attention head."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Levels are of one number, and heads share the width."""
        if not self.multipliers or len(self.attention) != len(self.multipliers):
            yield (
                "attention",
                f"{len(self.attention)} levels in attention, {len(self.multipliers)} in "
                "multipliers; say both of each level",
            )
        yield from Divides("head_width").problems(vars(self))


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of the ldm"


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """How the LDM makes images; the defaults are published."""

    OWNER = "LDM"

    side: Count = 32
    """Side of its latents; for an LDM that is trained here, by default that of those it learned."""
    steps: Count = 200
    """Sampling steps."""
    eta: Share = 1.0
    """DDIM's own noise."""
    precision: Precision = "float32"
    """bfloat16 is autocast of the U-Net."""

    def together(self) -> Iterator[tuple[str, str]]:
        """The steps lie on the published grid."""
        if TRAINED_STEPS % self.steps or self.steps == TRAINED_STEPS:
            yield (
                "steps",
                f"{self.steps} steps; choose a proper divisor of {TRAINED_STEPS} (published: 200)",
            )
