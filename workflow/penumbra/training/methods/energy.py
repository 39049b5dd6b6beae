"""Training on ID and outliers with an energy regulariser (Bad-OOD, Eq. 4 and 5).

E = -lse = -logsumexp of the logits (Liu et al. 2020, Eq. 4). As in VOS and Dream-OOD (Du et al.
2022, 2023), the uncertainty loss is the cross-entropy of phi's two logits of lse, ID against
outlier, and phi is trained along with the network.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers import phi
from penumbra.networks.loading.states import under
from penumbra.options.methods.energy import Options
from penumbra.seeds import derive
from penumbra.training.exposure import Exposed
from penumbra.training.method import Batch, Method, Setting


class EnergyRegularised(Exposed):
    """The cross-entropy of ID, and the uncertainty loss of ID and outliers."""

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        self.options = o = Options.of(options)
        super().__init__(options, setting, "energy", o.outlier_batch)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "phi"))
            self.phi = phi.build(o.phi, o.monotone).to(setting.device)
        self.latest = torch.zeros((), device=setting.device)
        self.uncertainties: list[Tensor] = []

    def modules(self) -> list[nn.Module]:
        """phi, with the network's learning rate and weight decay."""
        return [self.phi]

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of the ID part + beta · uncertainty of both parts."""
        count = len(y)
        # Energies reach 30, where bfloat16 counts in eighths.
        with torch.autocast(logits.device.type, enabled=False):
            uncertainty = self.uncertainty(logits.float().logsumexp(1), count)
        self.latest.copy_(uncertainty.detach())
        cross_entropy = F.cross_entropy(logits[:count], y)
        return cross_entropy + self.options.beta * uncertainty

    def uncertainty(self, lse: Tensor, count: int) -> Tensor:
        """The uncertainty loss () of lse (n,), the first `count` of ID.

        `concat_mean` is the mean over all, as the code of VOS and Dream-OOD; `separate_means` the
        sum of ID's and the outliers' mean, as Eq. 4 is printed: twice that for equal halves.
        """
        outlier = torch.arange(len(lse), device=lse.device) >= count
        target = torch.where(outlier, 1 - phi.ID, phi.ID)
        losses = F.cross_entropy(self.phi(lse[:, None]), target, reduction="none")
        if self.options.reduction == "separate_means":
            return losses[:count].mean() + losses[count:].mean()
        return losses.mean()

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Note the uncertainty loss; keep phi monotone, if it shall be."""
        self.uncertainties.append(self.latest.clone())
        if self.options.monotone:
            phi.make_monotone(self.phi)

    def record(self) -> dict[str, float]:
        """The epoch's mean uncertainty loss, beta left out."""
        mean = torch.stack(self.uncertainties).mean().item()
        self.uncertainties.clear()
        return {"uncertainty": mean}

    def state(self) -> dict[str, Tensor]:
        """phi and the epoch's losses so far; the outliers' order follows from the step."""
        state = self.artifacts()
        return state | {"losses": torch.stack(self.uncertainties)} if self.uncertainties else state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self.phi.load_state_dict(under(state, "phi."))
        if "losses" in state:
            self.uncertainties = list(state["losses"].to(self.setting.device))

    def artifacts(self) -> dict[str, Tensor]:
        """phi, read by `penumbra.networks.layers.phi.phi_logit`."""
        return {f"phi.{name}": tensor for name, tensor in self.phi.state_dict().items()}


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """The energy regulariser with the options of the recipe's `energy` key."""
    return EnergyRegularised(options, setting)
