"""Options of outlier exposure."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Count, Names, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Outlier exposure (Hendrycks et al. 2019)."""

    OWNER = "method oe"

    images: Annotated[str, Names("image_sets")]
    """Image set of real outliers, none of which is tested on."""
    outlier_batch: Count
    """Outliers beside every ID batch."""
    weight: NotNegative = 0.5
    """Weight of the outliers' loss."""
