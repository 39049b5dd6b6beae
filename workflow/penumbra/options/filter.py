"""Which outliers are kept for training, by their calibrated q = P(ID)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Share

REPORTED_SHARE = 0.78  # Bad-OOD's Table 3 implies that 399 of 500 outliers lie in its band
Part = Annotated[float, Bound(0, 1, open_low=True)]


@dataclass(frozen=True)
class Filter(check.Options):
    """How outliers are chosen.

    `band` keeps low ≤ q ≤ high; `quantile` the central share `keep` of the outliers in the order
    of q; `random` `count` of them, or the share `keep`, whatever their q. A band that holds less
    than the share `least` is an error, or with `empty: quantile` gives way to that mode.
    """

    OWNER = "filter"

    mode: Literal["band", "quantile", "random"]
    low: Share = 0.3
    high: Share = 0.5
    keep: Part = REPORTED_SHARE
    count: Count | None = None
    least: Part = 0.02
    empty: Literal["error", "quantile"] = "error"

    def together(self) -> Iterator[tuple[str, str]]:
        """A band has a width."""
        if not self.low < self.high:
            yield "low", f"band {self.low:g} to {self.high:g}; low is below high"
