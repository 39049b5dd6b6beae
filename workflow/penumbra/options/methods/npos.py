"""Options of non-parametric outlier synthesis (NPOS)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, NotNegative, Positive, at_least
from penumbra.options.views import Views


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """NPOS (Tao et al. 2023); the defaults are those of its code for CIFAR."""

    OWNER = "method npos"

    views: Views | None = None
    """What may differ between two views of one image, both of which are trained on; null trains on
    one, the image as `augment` leaves it."""
    projection: Count = 128
    """Width of the embeddings that lie about the prototypes."""
    temperature: Positive = 0.1
    """Temperature of their cosines."""
    momentum: Annotated[float, Bound(0, 1, open_high=True)] = 0.95
    """What an image leaves of its class's prototype; NPOS's for CIFAR-100 is 0.5."""
    dispersion: NotNegative = 0.5
    """Weight of the loss that drives prototypes apart."""
    start: Annotated[int, at_least(0)] = 200
    """Epochs before the first outliers are drawn; of 500 in NPOS's code."""
    queue: Count = 1000
    """Latest features of a class, around which outliers are drawn."""
    neighbour: Count = 300
    """Which neighbour's distance tells how far out a feature lies; for ImageNet 400."""
    boundary: Count = 200
    """Features of a class, the farthest out, of which some are taken; for ImageNet 300."""
    points: Count = 2
    """How many of them are."""
    candidates: Count = 600
    """Points drawn around each; for ImageNet 1,000."""
    outliers: Count = 200
    """Those farthest out, which are a step's outliers; for ImageNet 2."""
    deviation: Positive = 0.1
    """Deviation of the candidates in each direction; features have length 1."""
    weight: NotNegative = 0.1
    """Weight of the loss of ID against outliers."""
    hidden: Count = 1024
    """Hidden units of the network that tells them apart, whose learning rate is a tenth."""

    def together(self) -> Iterator[tuple[str, str]]:
        """A queue has that many neighbours and features, and draws leave that many."""
        for key, most, of in (
            ("neighbour", self.queue - 1, f"in a queue of {self.queue}"),
            ("boundary", self.queue, f"in a queue of {self.queue}"),
            ("points", self.boundary, f"of {self.boundary} at the boundary"),
            ("outliers", self.candidates, f"of {self.candidates} candidates"),
        ):
            if getattr(self, key) > most:
                yield key, f"{key} {getattr(self, key)} {of}; at most {most}"
