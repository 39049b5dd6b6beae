"""Options of training with the centre loss."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Filled, NotNegative, Rising, between

Milestones = Annotated[list[Annotated[float, between(0, 1)]], Rising(strict=True)]


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The centre loss (Wen et al. 2016)."""

    OWNER = "method centre"

    weights: Annotated[list[NotNegative], Filled()]
    """Weight of the centre loss, from the start and from each milestone on; DML+'s: 0, 0.001 and
    0.005."""
    milestones: Milestones
    """Shares of all epochs at which the weight changes; DML+'s: epochs 60 and 80 of 200."""
    rate: Annotated[float, Bound(0, 1, open_low=True)] = 0.5
    """How far centres follow their classes in a step."""

    def together(self) -> Iterator[tuple[str, str]]:
        """One weight more than milestones."""
        if len(self.weights) != len(self.milestones) + 1:
            yield (
                "weights",
                f"{len(self.weights)} weights and {len(self.milestones)} milestones; say one "
                "weight more",
            )
