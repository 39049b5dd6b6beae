"""Virtual outliers in the space of features (VOS, Du et al. 2022)."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers import phi
from penumbra.networks.loading.states import under
from penumbra.options.methods.vos import Options
from penumbra.outliers import tails
from penumbra.seeds import derive
from penumbra.training.method import Method, Setting
from penumbra.training.synthesis import Synthesis


class Uncertainty(nn.Module):
    """phi of an energy in which every class has a weight: logits (n, C) -> (n, 2) (Eq. 5 and 6)."""

    def __init__(self, classes: int, kind: str):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(classes))
        self.phi = phi.build(kind, monotone=False)

    def forward(self, logits: Tensor) -> Tensor:
        """phi's logits of the logarithm of the sum over classes of relu(w) exp(f)."""
        most = logits.amax(1, keepdim=True).detach()
        total = (self.weight.relu() * (logits - most).exp()).sum(1, keepdim=True)
        return self.phi(most + total.log())


class Vos(Synthesis):
    """Cross-entropy + weight · the uncertainty loss of ID features and outliers (Eq. 7).

    The latter is the mean of both together, as in VOS's code. At test time the energy scores, in
    which all classes weigh the same.
    """

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.options = o = Options.of(options)
        super().__init__(options, setting, "vos", o.start, o.queue, o.outliers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "uncertainty"))
            self.uncertainty = Uncertainty(len(self.queues.counts), o.phi).to(setting.device)

    def modules(self) -> list[nn.Module]:
        """phi and the energy's weights, with the network's learning rate and weight decay."""
        return [self.uncertainty]

    def draw(self, rows: Tensor, seed: int) -> Tensor:
        """The least likely under each class's Gaussian."""
        generator = torch.Generator().manual_seed(seed)
        return tails.outliers(rows, self.options.candidates, self.options.outliers, generator)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The loss (): features (n, D), y (n,)."""
        self.keep(outputs.detach().float(), y)
        logits = self.classified(outputs)
        with torch.autocast(outputs.device.type, enabled=False):
            both = torch.cat([logits.float(), self.classified(self.outliers)])
            target = torch.full((len(both),), 1 - phi.ID, device=both.device)
            target[: len(y)] = phi.ID
            uncertainty = F.cross_entropy(self.uncertainty(both), target)
        return F.cross_entropy(logits, y) + self.options.weight * self.there * uncertainty

    def state(self) -> dict[str, Tensor]:
        """Queues and outliers, phi and the energy's weights."""
        own = {f"uncertainty.{name}": t for name, t in self.uncertainty.state_dict().items()}
        return super().state() | own

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        super().restore(state)
        self.uncertainty.load_state_dict(under(state, "uncertainty."))


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """VOS with the options of the recipe's `vos` key."""
    return Vos(options, setting)
