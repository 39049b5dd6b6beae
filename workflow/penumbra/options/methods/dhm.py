"""Options of training a classifier with a density of its features (DHM, approximated)."""

from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Deep hybrid models; no code was released, so these defaults are this project's."""

    OWNER = "method dhm"

    weight: NotNegative = 0.001
    """Weight of the features' log-density in the network's loss."""
    couplings: Count = 8
    """Affine couplings of the flow."""
    hidden: Count = 256
    """Hidden units of a coupling's network."""
    bound: Positive = 6.0
    """Largest spectral norm of a layer's weights; SNGP's for CIFAR."""
    iterations: Count = 1
    """Power iterations of a step that find it."""
