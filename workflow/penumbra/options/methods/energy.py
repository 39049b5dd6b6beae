"""Options of the energy regulariser (Bad-OOD, Eq. 4 and 5)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """`beta` weights the uncertainty loss; the schema of `recipes.*.energy` describes the rest.

    Without `monotone`, phi is free, as published for networks that know ID already. From scratch
    it may settle on whichever of ID and outliers has the larger lse at first, and drive it there.
    """

    OWNER = "method energy"

    beta: NotNegative
    phi: Literal["mlp512", "linear"]
    monotone: bool
    reduction: Literal["concat_mean", "separate_means"]
    outlier_batch: Count
