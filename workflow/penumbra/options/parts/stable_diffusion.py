"""Options of Stable Diffusion, which is loaded, and of what it makes."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, NotNegative, Precision

Steps = Annotated[int, Bound(2, 1000)]


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """All of the networks follows from the files in its folder."""

    OWNER = "stable_diffusion"


@dataclass(frozen=True, kw_only=True)
class Images(check.Options):
    """What all that it makes has in common."""

    OWNER = "decoding"

    size: Count | None = 256
    """Pixels of a stored image's side, bilinear; null leaves them as they are made."""
    precision: Precision = "float32"
    """bfloat16 is autocast of the U-Net."""


@dataclass(frozen=True, kw_only=True)
class Sampling(Images):
    """How it makes images of texts; the defaults are those of Dream-OOD's code."""

    steps: Steps = 50
    """Sampling steps, of PLMS (Liu et al. 2022)."""
    guidance: NotNegative = 7.5
    """Weight of classifier-free guidance; 1 is none."""
