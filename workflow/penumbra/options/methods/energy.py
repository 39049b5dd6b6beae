"""Options of training with outliers."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The energy regulariser (Bad-OOD, Eq. 4 and 5)."""

    OWNER = "method energy"

    beta: NotNegative
    """Weight of the uncertainty loss."""
    phi: Literal["mlp512", "linear"]
    """The head on the energy: 1-512-2 with ReLU, or linear."""
    monotone: bool
    """Keep "outlier" from falling as the energy rises. A free phi, as published for networks that
    know ID already, may settle on the wrong side where the network starts from scratch."""
    reduction: Literal["concat_mean", "separate_means"]
    """Mean over ID and outliers together (code of VOS), or the sum of both means (as printed)."""
    outlier_batch: Count
    """Outliers beside every ID batch."""
