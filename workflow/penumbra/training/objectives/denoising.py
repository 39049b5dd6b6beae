"""Training of diffusion models: the noise in noised samples is estimated (Ho et al. 2020)."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.generative.averaging import MovingAverage


def signed(pixels: Tensor) -> Tensor:
    """uint8 -> float32 in [-1, 1]."""
    return pixels.float() / 127.5 - 1


class Averaged(nn.Module):
    """A network, whose weights are trained, and their moving average."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.average = MovingAverage(network)


class DenoisingObjective(ABC):
    """Mean squared error of the noise at uniform time indices; the average moves with each step.

    `betas` (T,) float64 are the variances of the noise that each index adds.
    """

    def __init__(self, network: nn.Module, betas: Tensor, device: torch.device):
        self.module = Averaged(network.to(device))
        self.device = device
        self.kept = self.table(kept_of(betas))

    @property
    def network(self) -> nn.Module:
        """The network that is trained."""
        return self.module.network

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def clean(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The samples `rows` (n,) as the network takes them: (n, C, S, S), about -1 to 1."""

    @abstractmethod
    def predict(self, z: Tensor, t: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """What the network says of the noised samples z (n, C, S, S) at indices t (n,)."""

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The loss () of the samples `rows` (n,)."""
        x0 = self.clean(rows, generator)
        t = torch.randint(len(self.kept), (len(rows),), generator=generator, device=self.device)
        noise = torch.randn(x0.shape, generator=generator, device=self.device)
        kept = at(self.kept, t)
        z = kept.sqrt() * x0 + (1 - kept).sqrt() * noise
        return self.error(self.predict(z, t, rows, generator).float(), x0, z, t, noise)

    def error(self, said: Tensor, x0: Tensor, z: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error () of the estimate `said` of the noise."""
        return F.mse_loss(said, noise)

    def after(self) -> None:
        """Move the averages."""
        self.module.average.update(self.network)

    def averages(self) -> dict[str, Tensor]:
        """The network's averaged weights under its own names."""
        return self.module.average.averages(self.network)

    def table(self, values: Tensor) -> Tensor:
        """What each index has (T,), as steps look it up: float32 on the device."""
        return values.to(self.device, torch.float32)


def at(table: Tensor, t: Tensor) -> Tensor:
    """Entries of a table (T,) at indices t (n,): (n, 1, 1, 1)."""
    return table[t][:, None, None, None]


def kept_of(betas: Tensor) -> Tensor:
    """The share (T,) of the clean sample's variance that is left at each index, float64."""
    return (1 - betas.double()).cumprod(0)


def linear(steps: int, start: float = 1e-4, end: float = 0.02) -> Tensor:
    """DDPM's variances (T,) float64."""
    return torch.linspace(start, end, steps, dtype=torch.float64)
