"""Options of RCG's LDM-8, which is loaded, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.parts.dit import TRAINED_STEPS
from penumbra.options.ranges import Count, Share


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """All of the network follows from its file."""

    OWNER = "ldm"


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """How the LDM makes images; the defaults are published."""

    OWNER = "LDM"

    side: Count = 32
    """Side of its latents."""
    steps: Count = 200
    """Sampling steps."""
    eta: Share = 1.0
    """DDIM's own noise."""

    def together(self) -> Iterator[tuple[str, str]]:
        """The steps lie on the published grid."""
        if TRAINED_STEPS % self.steps or self.steps == TRAINED_STEPS:
            yield (
                "steps",
                f"{self.steps} steps; choose a proper divisor of {TRAINED_STEPS} (published: 200)",
            )
