"""Outlier exposure (Hendrycks et al. 2019): given outliers shall be of no class."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from penumbra.options.methods.oe import Options
from penumbra.training.exposure import Exposed, to_uniform
from penumbra.training.method import Method, Setting


class OutlierExposure(Exposed):
    """CE of ID + λ · CE of outliers to the uniform distribution (Section 3, Eq. 1).

    The latter is the mean of logsumexp(f) - mean_k f_k, of logits f.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.options = o = Options.of(options)
        super().__init__(options, setting, "oe", o.outlier_batch)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss () of logits (n + outliers, K), y (n,)."""
        exposed = to_uniform(outputs[len(y) :])
        return F.cross_entropy(outputs[: len(y)], y) + self.options.weight * exposed


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """Outlier exposure with the options of the recipe's `oe` key."""
    return OutlierExposure(options, setting)
