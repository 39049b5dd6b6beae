"""Options of RCG's DiT, which is loaded, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative

TRAINED_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """What its file does not tell."""

    OWNER = "dit"

    autoencoder: str
    """Folder of its first stage, below weights_root."""
    heads: Count | None = None
    """Attention heads; those of the published sizes by default."""


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """How DiT makes images."""

    OWNER = "DiT"

    steps: Count = 250
    """Sampling steps (published: 250)."""
    guidance: NotNegative = 1.0
    """Weight of classifier-free guidance; 1 is none."""

    def together(self) -> Iterator[tuple[str, str]]:
        """The steps are among those that were trained, and more than one."""
        if not 1 < self.steps <= TRAINED_STEPS:
            yield "steps", f"{self.steps} steps; choose 2 to {TRAINED_STEPS} (published: 250)"
