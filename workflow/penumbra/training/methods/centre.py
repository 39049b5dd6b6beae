"""The centre loss (Wen et al. 2016), as of DML+'s second network (Zhang & Xiang 2023)."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.options.methods.centre import Options
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.schedule import passed


class Centre(Method):
    """Cross-entropy + λ · mean of ‖z - c_y‖², z an image's features and c_y its class's centre.

    Without the half of Wen et al.'s Eq. 2, as in DML+'s code, and so is λ. Centres (K, D) begin at
    zero; after each step c_k moves by `rate` · Σ(z - c_k) / (1 + n_k) over the n_k images of its
    class in the batch (Eq. 4 and Algorithm 1), also while λ is 0.
    """

    reads = "features"

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = Options.of(options)
        last: Any = setting.model.fc
        self.centres = torch.zeros(last.weight.shape, device=setting.device)
        self.weight = torch.zeros((), device=setting.device)

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """x itself, once λ is that of the epoch."""
        o = self.options
        self.weight.fill_(o.weights[passed(o.milestones, batch.epoch, self.setting.epochs)])
        return x, None

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss (): features (n, D), y (n,)."""
        features = outputs.float()
        spread = (features - self.centres[y]).square().sum(1).mean()
        self._follow(features.detach(), y)
        return F.cross_entropy(self.setting.model.fc(outputs), y) + self.weight * spread

    def right(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The number () of right predictions of features (n, D)."""
        return super().right(self.setting.model.fc(outputs), y)

    @torch.no_grad()
    def _follow(self, features: Tensor, y: Tensor) -> None:
        is_of = (torch.arange(len(self.centres), device=y.device)[:, None] == y).float()
        count = is_of.sum(1, keepdim=True)
        with torch.autocast(features.device.type, enabled=False):
            apart = is_of @ features - count * self.centres
        self.centres.add_(self.options.rate * apart / (1 + count))

    def state(self) -> dict[str, Tensor]:
        """The centres."""
        return {"centres": self.centres}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self.centres.copy_(state["centres"])


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """The centre loss with the options of the recipe's `centre` key."""
    return Centre(options, setting)
