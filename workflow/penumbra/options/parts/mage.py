"""Options of MAGE, and of its decoding."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Divides, Multiple, NotNegative, Precision

# In quarters, each with the waves of a place's row or column.
Width = Annotated[int, Bound(low=4), Multiple(4)]


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; published: MAGE-B as the defaults.

    MAGE-L has width 1,024, depth 24, 16 heads, decoder width 1,024. Codes, the grid's side and the
    representation are those of the parts that it uses.
    """

    OWNER = "mage"

    width: Width = 768
    """Channels of the encoder."""
    depth: Count = 12
    """Blocks of the encoder."""
    heads: Count = 12
    """Attention heads of the encoder."""
    decoder_width: Width = 768
    """Channels of the decoder."""
    decoder_depth: Count = 8
    """Blocks of the decoder."""
    decoder_heads: Count = 16
    """Attention heads of the decoder."""
    patch: Count = 16
    """Pixels of a token's side."""
    mlp_ratio: Count = 4
    """Width of a block's hidden layer over the block's."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Heads share the width."""
        yield from Divides().problems(vars(self))
        yield from Divides("decoder_heads", "decoder_width").problems(vars(self))


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of mage"


@dataclass(frozen=True)
class Decoding(check.Options):
    """How MAGE makes images."""

    OWNER = "decoding"

    steps: Count = 20
    """Decoding iterations; published: 20."""
    temperature: NotNegative = 11.0
    """Scale of the Gumbel noise on the confidences; published: 6 (MAGE-B) or 11 (L)."""
    guidance: NotNegative = 0.0
    """Classifier-free guidance at the last step, to which it grows linearly; 0 is none."""
    precision: Precision = "float32"
    """bfloat16 is autocast."""
