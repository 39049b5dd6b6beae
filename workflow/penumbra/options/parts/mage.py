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
    depth: Count = 12
    heads: Count = 12
    decoder_width: Width = 768
    decoder_depth: Count = 8
    decoder_heads: Count = 16
    patch: Count = 16
    mlp_ratio: Count = 4

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
    """How tokens are decoded; published: 20 steps, temperature 6 (MAGE-B) or 11 (L), guidance 0.

    `temperature` scales the Gumbel noise on the confidences, `guidance` is the weight of
    classifier-free guidance at the last step, to which it grows linearly.
    """

    OWNER = "decoding"

    steps: Count = 20
    temperature: NotNegative = 11.0
    guidance: NotNegative = 0.0
    precision: Precision = "float32"
