"""Which outliers are kept for training, by their calibrated q = P(ID)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Share

REPORTED_SHARE = 0.798  # Bad-OOD's Table 3 implies that 399 of 500 outliers lie in its band
Part = Annotated[float, Bound(0, 1, open_low=True)]


@dataclass(frozen=True)
class Filter(check.Options):
    """How outliers are chosen."""

    OWNER = "filter"

    mode: Literal["band", "quantile", "random"]
    """Between two values of P(ID), the central share by P(ID), or a random share."""
    low: Share = 0.3
    """band: least P(ID)."""
    high: Share = 0.5
    """band: largest P(ID)."""
    keep: Part = REPORTED_SHARE
    """quantile, random: share that is kept."""
    count: Count | None = None
    """random: how many are kept, in keep's place."""
    least: Part = 0.02
    """band: a smaller share is nearly empty, and ends the job."""

    def together(self) -> Iterator[tuple[str, str]]:
        """A band has a width."""
        if not self.low < self.high:
            yield "low", f"band {self.low:g} to {self.high:g}; low is below high"
