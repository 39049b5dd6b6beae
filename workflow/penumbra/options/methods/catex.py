"""Options of learning prompts of categories for CLIP (CATEX)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Count, Naming, NotNegative, Positive, at_least


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """CATEX (Liu et al. 2023); the defaults are those of its code for ImageNet."""

    OWNER = "method catex"

    prompt: Annotated[str, Naming()] = "{}"
    """Text of a class behind its contexts; {} is its name."""
    contexts: Count = 16
    """Learned vectors before the text, as many perceptual as spurious ones."""
    id_weight: NotNegative = 2.0
    """Weight of the cross-entropy of ID images over all prompts."""
    outlier_weight: NotNegative = 0.5
    """Weight of that of outliers."""
    margin_weight: NotNegative = 1.0
    """Weight of the cross-entropy over a class's own two prompts, of ID images and of outliers."""
    start: Annotated[int, at_least(0)] = 3
    """Epochs before the first outliers are drawn."""
    queue: Count = 1200
    """Latest image embeddings of a class around which outliers are drawn."""
    neighbour: Count = 400
    """Which neighbour's distance tells how far out an embedding lies."""
    boundary: Count = 300
    """Embeddings of a class, the farthest out, of which one is taken."""
    candidates: Count = 1000
    """Points drawn around it, of which the farthest out is taken."""
    deviation: Positive = 0.1
    """Deviation of these points in each direction; embeddings have length 1. Not printed; NPOS's
    for CIFAR."""

    def together(self) -> Iterator[tuple[str, str]]:
        """A queue has that many neighbours, and that many embeddings."""
        for key, most in (("neighbour", self.queue - 1), ("boundary", self.queue)):
            if getattr(self, key) > most:
                yield key, f"{key} {getattr(self, key)} in a queue of {self.queue}; at most {most}"
