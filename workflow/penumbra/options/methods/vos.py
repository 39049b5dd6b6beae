"""Options of training with virtual outliers (VOS)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative, at_least


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """VOS (Du et al. 2022); the defaults are those of its code for CIFAR."""

    OWNER = "method vos"

    start: Annotated[int, at_least(0)] = 40
    """Epochs before the first outliers are drawn; of 100 in VOS's code."""
    queue: Count = 1000
    """Latest features of a class, to which its Gaussian is fitted."""
    candidates: Count = 10000
    """Points drawn from a class's Gaussian."""
    outliers: Count = 1
    """The least likely of these, which are a step's outliers of the class."""
    weight: NotNegative = 0.1
    """Weight of the uncertainty loss."""
    phi: Literal["mlp512", "linear"] = "linear"
    """The head on the energy: 1-512-2 with ReLU, as in a later state of VOS's code, or linear."""

    def together(self) -> Iterator[tuple[str, str]]:
        """No more outliers than candidates."""
        if self.outliers > self.candidates:
            yield "outliers", f"{self.outliers} outliers of {self.candidates} candidates"
