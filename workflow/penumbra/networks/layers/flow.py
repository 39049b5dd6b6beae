"""A normalising flow of affine couplings (Dinh et al. 2017, RealNVP) on vectors."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from penumbra.networks.loading.states import depth, shape

# Of log-scales: the density of a feature that is constant, as of a dead unit, would have no bound.
LIMIT = 1.0


class Free(nn.Linear):
    """A linear layer whose weights the optimiser does not let decay."""

    undecayed = ("weight", "bias")


class Coupling(nn.Module):
    """One half of a vector is scaled and shifted by a function of the other, which stays (Eq. 7).

    `swapped` says which: the first half stays, or the second. At first nothing is changed.
    """

    def __init__(self, width: int, hidden: int, swapped: bool):
        super().__init__()
        self.swapped = swapped
        self.sizes = [width // 2, width - width // 2]
        stays, moves = self.sizes[::-1] if swapped else self.sizes
        last = Free(hidden, 2 * moves)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(Free(stays, hidden), nn.ReLU(), last)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(n, D) -> (n, D), and the logarithm of the Jacobian's determinant (n,)."""
        stays, moves = self._halves(z)
        log_scale, shift = self._change(stays)
        return self._whole(stays, moves * log_scale.exp() + shift), log_scale.sum(1)

    def _halves(self, z: Tensor) -> tuple[Tensor, Tensor]:
        first, second = z.split(self.sizes, 1)
        return (second, first) if self.swapped else (first, second)

    def _whole(self, stays: Tensor, moves: Tensor) -> Tensor:
        return torch.cat([moves, stays] if self.swapped else [stays, moves], 1)

    def _change(self, stays: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.net(stays).chunk(2, 1)
        return LIMIT * torch.tanh(log_scale), shift


class Flow(nn.Module):
    """Scale and shift of each dimension, then couplings whose halves change places.

    It takes vectors (n, D) to a standard normal distribution.
    """

    undecayed = ("log_scale", "shift")

    def __init__(self, width: int, couplings: int, hidden: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(width))
        self.shift = nn.Parameter(torch.zeros(width))
        layers = (Coupling(width, hidden, bool(i % 2)) for i in range(couplings))
        self.couplings = nn.ModuleList(layers)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> "Flow":
        """The flow whose tensors these are; its sizes are theirs.

        Raises:
            PenumbraError: a tensor is missing.
        """
        (width,) = shape(state, "log_scale", "flow")
        hidden = shape(state, "couplings.0.net.0.weight", "flow")[0]
        with torch.device("meta"):
            flow = cls(width, depth(state, "couplings."), hidden)
        flow.load_state_dict(state, assign=True)
        return flow

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(n, D) -> (n, D), and the logarithm of the Jacobian's determinant (n,)."""
        log_scale = LIMIT * torch.tanh(self.log_scale)
        u = (z - self.shift) * log_scale.exp()
        log_det = log_scale.sum().expand(len(z))
        for coupling in self.couplings:
            u, more = coupling(u)
            log_det = log_det + more
        return u, log_det

    def log_density(self, z: Tensor) -> Tensor:
        """log p(z) = log N(f(z); 0, I) + log |det ∂f/∂z| (Eq. 2 and 3): (n, D) -> (n,)."""
        u, log_det = self(z)
        return log_det - (u.square() + math.log(2 * math.pi)).sum(1) / 2
