"""SimCLR (Chen et al. 2020): two views of an image are told from those of all others.

As Table 11 of the UAT paper has it from Yang et al. (2025), on the features that KNN and SSD read.
The head is that of SSD's code (Sehwag et al. 2021): two linear layers, the first one as wide as the
features, ReLU between.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.options.methods.simclr import Options
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.similarity import against_all_views
from penumbra.training.unlabelled import Unlabelled, two_views
from penumbra.training.views import Views


class SimClr(Unlabelled):
    """NT-Xent, the mean over 2n views i of -log(exp(s_ij / τ) / Σ_{k≠i} exp(s_ik / τ)) (Eq. 1).

    j is the other view of i's image, and s the cosine of two embeddings.
    """

    counted = "pair_accuracy"
    predictions = 2

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.options = o = Options.of(options)
        self.views = Views(**vars(o.views))

        def head(width: int) -> nn.Module:
            return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, o.projection))

        super().__init__(options, setting, head)

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """First views of the images, then second ones: (2n, 3, H, W).

        Raises:
            PenumbraError: there is one image only.
        """
        if len(x) < 2:
            raise PenumbraError("method simclr: one image has no other to be told from; give more")
        return two_views(self.views, self.setting, x, batch), None

    def task(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines of the embeddings over the temperature; the other view of the image."""
        return against_all_views(self.head(features), self.options.temperature)


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """SimCLR with the options of the recipe's `simclr` key."""
    return SimClr(options, setting)
