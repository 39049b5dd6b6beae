"""Options of outliers that an RDM samples around training images (Bad-OOD, section 3.2)."""

from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.guidance import Block
from penumbra.options.ranges import Count

# The parts that it names, each with the kinds of part that will do.
PARTS = {"rdm": ("rdm",), "generator": ("mage", "dit", "ldm")}
SAMPLER = "rdm"  # the part that samples embeddings


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Which training images are anchors, and how far from them outliers lie."""

    OWNER = "outlier set of kind rdm"

    per_class: Count | None
    """Outliers of every class; null for one a training image."""
    cycle: bool
    """Where a class has fewer images than per_class: use them again, with new noise; else that is
    an error."""
    guidance: Block
    """How embeddings are sampled."""
