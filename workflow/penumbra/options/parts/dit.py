"""Options of RCG's DiT, of its training, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Divides, Multiple, NotNegative, Precision

TRAINED_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; published: the defaults, DiT-XL/2.

    The latents and the representation are those of the parts that it uses.
    """

    OWNER = "dit"

    # In quarters, each with the waves of a place's row or column.
    width: Annotated[int, Bound(low=4), Multiple(4)] = 1152
    """Channels."""
    depth: Count = 28
    """Blocks."""
    heads: Count = 16
    """Attention heads."""
    patch: Count = 2
    """Side of a token among the latents; it divides theirs."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Heads share the width."""
        yield from Divides().problems(vars(self))


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """Nothing may be chosen."""

    OWNER = "objective of the dit"


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """How DiT makes images."""

    OWNER = "DiT"

    steps: Count = 250
    """Sampling steps (published: 250)."""
    guidance: NotNegative = 1.0
    """Weight of classifier-free guidance; 1 is none."""
    precision: Precision = "float32"
    """bfloat16 is autocast of the transformer."""

    def together(self) -> Iterator[tuple[str, str]]:
        """The steps are among those that were trained, and more than one."""
        if not 1 < self.steps <= TRAINED_STEPS:
            yield "steps", f"{self.steps} steps; choose 2 to {TRAINED_STEPS} (published: 250)"
