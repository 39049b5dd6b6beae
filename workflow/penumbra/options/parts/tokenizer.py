"""Options of the tokenizer, MAGE's VQGAN."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Filled

GROUPS = 32  # of every GroupNorm; as many as channels where these are fewer


@dataclass(frozen=True)
class Options(check.Options):
    """The network; published: 256×256 pixels, 16×16 tokens, 1,024 codes of 256 numbers."""

    OWNER = "tokenizer"

    width: Count = 128
    """Channels that the multipliers multiply."""
    multipliers: Annotated[tuple[Count, ...], Filled()] = (1, 1, 2, 2, 4)
    """Of the channels, from the highest resolution to the lowest."""
    blocks: Count = 2
    """Residual blocks of each resolution."""
    codes: Annotated[int, Bound(low=2)] = 1024
    """Codes of the codebook."""
    code_width: Count = 256
    """Numbers of a code."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Channels are few, or in whole groups."""
        channels = [self.width * factor for factor in self.multipliers]
        if any(count > GROUPS and count % GROUPS for count in channels):
            yield (
                "width",
                f"levels of {channels} channels; its norms take at most {GROUPS}, or a "
                f"multiple of {GROUPS}; change width or multipliers",
            )


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of the tokenizer"
