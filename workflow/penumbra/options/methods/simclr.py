"""Options of contrastive training without labels (UAT paper, Table 11)."""

from dataclasses import dataclass

from penumbra.options import check
from penumbra.options.ranges import Count, Positive
from penumbra.options.views import Views


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """SimCLR; the defaults are those of SSD's code for CIFAR."""

    OWNER = "method simclr"

    temperature: Positive = 0.5
    """Temperature of NT-Xent."""
    projection: Count = 128
    """Width of the embeddings that are contrasted."""
    views: Views
    """What may differ between two views of one image, of what `augment` leaves of it."""
