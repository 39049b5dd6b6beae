"""Options of training with the focal loss."""

from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import at_least


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The focal loss (Lin et al. 2017)."""

    OWNER = "method focal"

    gamma: Annotated[float, at_least(1)] = 2.0
    """Power of 1 - p that weighs an image's cross-entropy; DML+'s code has 2."""
