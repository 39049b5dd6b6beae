"""Training on a batch of outliers beside every batch of the classes."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.images.feeding import Feeding
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.stream import Stream


class Exposed(Method):
    """One forward pass over ID and outliers, so that both are in the batch norm's statistics.

    Raises:
        PenumbraError: there are no outliers, or they are not of the ID images' size.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting, name: str, outlier_batch: int):
        super().__init__(options, setting)
        self.outliers = Stream(_outliers(setting, name), outlier_batch, setting.seed, "outliers")

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """x followed by a batch of outliers."""
        return torch.cat([x, self.outliers.batch(batch.step)]), None


def to_uniform(logits: Tensor) -> Tensor:
    """The mean cross-entropy () of predictions to the uniform distribution: logits (n, K)."""
    logits = logits.float()
    return (logits.logsumexp(1) - logits.mean(1)).mean()


def _outliers(setting: Setting, name: str) -> Feeding:
    """The setting's outliers, if they can stand in one batch with the ID images."""
    feeder = setting.outliers
    if feeder is None:
        raise PenumbraError(f"method {name} trains on outliers; name an outlier set for the model")
    if not len(feeder):
        raise PenumbraError(
            f"method {name}: the outlier set is empty; widen the band that filters it"
        )
    if feeder.shape != tuple(setting.shape):
        raise PenumbraError(
            f"method {name}: outliers measure {feeder.shape} and ID images {tuple(setting.shape)} "
            "(channels, height, width); synthesise or resize the outliers to the ID images' size"
        )
    return feeder
