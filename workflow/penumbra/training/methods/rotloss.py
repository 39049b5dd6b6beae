"""RotLoss: which of four rotations an image has had (Gidaris et al. 2018, Eq. 2 and 3).

As Table 11 of the UAT paper has it from Yang et al. (2025), who train without labels; Golan &
El-Yaniv (2018) and Hendrycks et al. (2019) brought rotations into the detection of outliers.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from penumbra.options.methods.rotloss import Options
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.unlabelled import Unlabelled, laid_like

TURNS = 4  # by no, one, two and three quarters of a whole turn


class Rotations(Unlabelled):
    """Every image in all four rotations; the mean over them of the cross-entropy of its turn."""

    counted = "rotation_accuracy"
    predictions = TURNS

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        Options.of(options)
        super().__init__(options, setting, lambda width: nn.Linear(width, TURNS))

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """All images as they are, then all by one quarter, and so on: (4n, C, H, H)."""
        every = torch.cat([torch.rot90(x, turn, (2, 3)) for turn in range(TURNS)])
        return laid_like(every, x), None

    def task(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (4n, 4) of the turns, and the turns."""
        turns = torch.arange(TURNS, device=features.device)
        return self.head(features), turns.repeat_interleave(len(features) // TURNS)


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """Training by rotations."""
    return Rotations(options, setting)
