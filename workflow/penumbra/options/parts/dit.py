"""Options of RCG's DiT, which is loaded, and of its sampling."""

from collections.abc import Iterator
from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative

TRAINED_STEPS = 1000


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """`autoencoder` is the folder of its first stage, below weights_root."""

    OWNER = "dit"

    autoencoder: str
    heads: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Decoding(check.Options):
    """Sampling steps (published: 250) and the weight of classifier-free guidance; 1 is none."""

    OWNER = "DiT"

    steps: Count = 250
    guidance: NotNegative = 1.0

    def together(self) -> Iterator[tuple[str, str]]:
        """The steps are among those that were trained, and more than one."""
        if not 1 < self.steps <= TRAINED_STEPS:
            yield "steps", f"{self.steps} steps; choose 2 to {TRAINED_STEPS} (published: 250)"
