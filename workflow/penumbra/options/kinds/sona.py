"""Options of outliers by SONA (Yoon et al. 2025): ID images edited by guidance of concepts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.parts import stable_diffusion
from penumbra.options.ranges import Bound, Naming, NotNegative, Share, at_least

PARTS = {"generator": ("stable_diffusion",)}
SAMPLER = None
WORDS = True  # it asks what classes are called in words
Warmup = Annotated[int, at_least(0)]
Inner = Annotated[float, Bound(0, 1, open_low=True, open_high=True)]


@dataclass(frozen=True, kw_only=True)
class Guidance(check.Options):
    """How three concepts steer the denoising of an inverted image; defaults are the authors'.

    The class of the image is added outside the region where it is seen, and taken away within; a
    concept that is no ID class is added within.
    """

    OWNER = "guidance"

    steps: stable_diffusion.Steps = 50
    """Steps of DDIM, on which images are inverted, too."""
    scale: NotNegative = 10.0
    """Scale of each concept."""
    semantic: Inner = 0.9
    """Quantile of the class's own guidance from which on a latent shows the class."""
    semantic_warmup: Warmup = 10
    """Steps of the grid, from pure noise, before guidance within that region begins."""
    nuisance_warmup: Warmup = 20
    """Steps before guidance outside begins."""
    momentum: NotNegative = 0.3
    """Scale of the momentum that is added."""
    beta: Share = 0.6
    """Share of the momentum that stays from step to step."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Both warm-ups end before the last step, at which every outlier is still guided."""
        for name in ("semantic_warmup", "nuisance_warmup"):
            if getattr(self, name) >= self.steps:
                yield name, f"{name} {getattr(self, name)} of {self.steps} steps"


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """One outlier of every training image."""

    OWNER = "outlier set of kind sona"

    concepts: str
    """A word list in config/words: what outliers may show; words of ID classes are left out."""


@dataclass(frozen=True, kw_only=True)
class Decoding(stable_diffusion.Images):
    """How images are edited; the defaults are the authors'."""

    OWNER = "decoding"

    prompt: Annotated[str, Naming()] = "a photo of a {}"
    """What Stable Diffusion is told of a class or a concept."""
    guidance: Guidance = Guidance()
    """How three concepts steer."""
