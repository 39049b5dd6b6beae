"""Options of outliers that an early-stopped diffusion model draws (Mirzaei et al. 2022)."""

from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.ranges import Count

PARTS = {"generator": ("ddpm",)}
SAMPLER = None


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """How many they are; how early the model stopped is its part's `stop_after`."""

    OWNER = "outlier set of kind fake_it"

    count: Count | None = None
    """Outliers in all; null for one a training image."""
