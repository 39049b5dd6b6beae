"""Non-parametric outlier synthesis (NPOS, Tao et al. 2023), from scratch, without CLIP.

Features are trained by the losses of CIDER (Ming et al. 2023), as in NPOS's code, and against
outliers around the boundary of each class. In that code queues are emptied at every epoch while
their counts stay, and in its script for ImageNet-100 the outliers' loss is not added; here queues
last, and the loss is added.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers.prototypes import Prototypes, dispersion
from penumbra.networks.loading.states import under
from penumbra.options.methods.npos import Options
from penumbra.outliers import around
from penumbra.seeds import derive
from penumbra.training.method import Batch, Method, Perturb, Setting
from penumbra.training.synthesis import Synthesis
from penumbra.training.unlabelled import two_views
from penumbra.training.views import Views

BASE_TEMPERATURE = 0.07  # CIDER's code multiplies compactness by its temperature over this


class Apart(nn.Sequential):
    """Tells ID features (n, D) of length 1 from outliers: (n, 1) logits of ID."""

    share_of_rate = 0.1  # as in NPOS's code

    def __init__(self, width: int, hidden: int):
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))


class Npos(Synthesis):
    """Compactness about prototypes + dispersion of these + weight · ID against outliers.

    NPOS trains no last layer of classes. Here a linear one learns from features which it does not
    move, so that scores of logits can be taken; NPOS itself scores by the k-th neighbour.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.options = o = Options.of(options)
        super().__init__(options, setting, "npos", o.start, o.queue, o.points * o.outliers)
        self.how = around.Draw(
            o.neighbour, o.boundary, o.points, o.candidates, o.outliers, o.deviation
        )
        self.views = None if o.views is None else Views(**vars(o.views))
        classes, width = setting.model.get_parameter("fc.weight").shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "prototypes"))
            self.prototypes = Prototypes(width, classes, o.projection, o.momentum)
            self.apart = Apart(width, o.hidden)
        self.layers = nn.ModuleDict({"prototypes": self.prototypes, "apart": self.apart})
        self.layers.to(setting.device)

    def modules(self) -> list[nn.Module]:
        """What embeds features, and what tells them from outliers."""
        return [self.layers]

    def inputs(self, x: Tensor, y: Tensor, batch: Batch) -> tuple[Tensor, Perturb]:
        """The batch, or two views of it: first ones (n, C, H, W), then second ones."""
        if self.views is None:
            return x, None
        return two_views(self.views, self.setting, x, batch), None

    def draw(self, rows: Tensor, seed: int) -> Tensor:
        """Around points at each class's boundary."""
        generator = torch.Generator(rows.device).manual_seed(seed)
        return around.outliers(rows, self.how, generator)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss () of features (n or 2n, D), y (n,), and that of the last layer."""
        every = y.repeat(len(outputs) // len(y))
        classified = F.cross_entropy(self.classified(outputs.detach()), every)
        with torch.autocast(outputs.device.type, enabled=False):
            features = outputs.float()
            unit = F.normalize(features, dim=1)
            self.keep(unit.detach(), y)
            told = self._embedded(features, every)
            return classified + told + self.options.weight * self.there * self._apart(unit)

    def _embedded(self, features: Tensor, y: Tensor) -> Tensor:
        """CIDER's compactness, and its dispersion with its weight (Eq. 5 to 7)."""
        o = self.options
        z = self.prototypes(features)
        moved = self.prototypes.moved(z, y)
        self.prototypes.of_class.copy_(moved.detach())
        compact = F.cross_entropy(z @ moved.detach().T / o.temperature, y)
        apart = dispersion(moved, o.temperature)
        return o.temperature / BASE_TEMPERATURE * compact + o.dispersion * apart

    def _apart(self, unit: Tensor) -> Tensor:
        """The mean cross-entropy of ID features and outliers together."""
        logits = self.apart(torch.cat([unit, self.outliers]))[:, 0]
        is_id = torch.arange(len(logits), device=logits.device) < len(unit)
        return F.binary_cross_entropy_with_logits(logits, is_id.float())

    def state(self) -> dict[str, Tensor]:
        """Queues and outliers, and the method's own layers."""
        return super().state() | {f"layers.{k}": t for k, t in self.layers.state_dict().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        super().restore(state)
        self.layers.load_state_dict(under(state, "layers."))


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """NPOS with the options of the recipe's `npos` key."""
    return Npos(options, setting)
