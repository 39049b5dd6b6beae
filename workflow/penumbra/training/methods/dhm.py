"""Deep hybrid models (Cao & Zhang 2022), approximated: no code was ever released.

A classifier whose features have a density, both trained together: the network's layers have bounded
spectral norms, so that it cannot tell images apart more than they are, and a normalising flow gives
the density of the penultimate features. Their flow is a residual or Glow-like one; here it is of
affine couplings, and norms are bounded by dividing the weights after each step, which leaves batch
norm's scales out.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers.flow import Flow
from penumbra.networks.loading.states import under
from penumbra.options.methods.dhm import Options
from penumbra.seeds import derive
from penumbra.training.method import Batch, Method, Setting
from penumbra.training.spectral import SpectralBound


class Hybrid(Method):
    """Cross-entropy - weight · log p(z), z the penultimate features."""

    reads = "features"

    def __init__(self, options: Mapping[str, Any], setting: Setting):
        super().__init__(options, setting)
        self.options = o = Options.of(options)
        width = setting.model.get_parameter("fc.weight").shape[1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(setting.seed, "flow"))
            self.flow = Flow(width, o.couplings, o.hidden).to(setting.device)
        seed = derive(setting.seed, "spectral norms")
        self.bound = SpectralBound(setting.model, o.bound, o.iterations, seed)
        self.bound.apply()
        self.latest = torch.zeros((), device=setting.device)
        self.total = torch.zeros(2, device=setting.device)  # log-densities, and steps

    def modules(self) -> list[nn.Module]:
        """The flow, which the weight decay spares."""
        return [self.flow]

    def loss(self, features: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy - weight · log p(z): features (n, D), y (n,).

        The flow, whose optimum no weight changes, takes the gradient of -log p(z) / D instead: the
        weight, which is small, would have it learn nothing.
        """
        cross_entropy = F.cross_entropy(self.setting.model.fc(features), y)
        with torch.autocast(features.device.type, enabled=False):
            z, width, weight = features.float(), features.shape[1], self.options.weight
            still = z.detach()
            log_density = self.flow.log_density(still + weight * width * (z - still)).mean()
            self.latest.copy_(log_density.detach())
            moving = -log_density / width
            return cross_entropy + moving - moving.detach() - weight * log_density.detach()

    def right(self, features: Tensor, y: Tensor) -> Tensor:
        """By the last layer."""
        return (self.setting.model.fc(features).argmax(1) == y).sum()

    def after(self, x: Tensor, y: Tensor, batch: Batch) -> None:
        """Bound the spectral norms; note the log-density."""
        self.bound.apply()
        self.total += torch.stack([self.latest, torch.ones_like(self.latest)])

    def record(self) -> dict[str, float]:
        """The epoch's mean log-density."""
        total, count = self.total.tolist()
        self.total.zero_()
        return {"log_density": total / count}

    def state(self) -> dict[str, Tensor]:
        """The flow, the power iterations' vectors, and the epoch's log-densities so far."""
        flow = {f"flow.{name}": tensor for name, tensor in self.flow.state_dict().items()}
        norms = {f"bound.{name}": tensor for name, tensor in self.bound.state().items()}
        return {**flow, **norms, "total": self.total}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a saved state."""
        self.flow.load_state_dict(under(state, "flow."))
        self.bound.restore(under(state, "bound."))
        self.total.copy_(state["total"])

    def artifacts(self) -> dict[str, Tensor]:
        """The flow, which the scorer dhm reads."""
        return {f"learned.{name}": tensor for name, tensor in self.flow.state_dict().items()}


def build(options: Mapping[str, Any], setting: Setting) -> Method:
    """DHM with the options of the recipe's `dhm` key."""
    return Hybrid(options, setting)
