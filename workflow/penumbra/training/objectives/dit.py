"""Training of the DiT on latents and representations that lie on the device (RCG)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.networks.generative.dit import DiT
from penumbra.networks.loading.states import State
from penumbra.options.parts.dit import TRAINED_STEPS
from penumbra.training.objectives.denoising import DenoisingObjective, at, kept_of, linear
from penumbra.training.objectives.latents import SCALE, Latents

WITHOUT_REPRESENTATION = 0.1  # share of samples trained with `fake_latent` in its place
BIN = 1 / 255  # half the width of the bins that the last step's likelihood is of


class DitObjective(DenoisingObjective):
    """The noise in latents given their images' representations (N, R), and its variance.

    The variance is trained by the bound of the likelihood, of which the mean gets no gradient
    (Nichol & Dhariwal 2021), with the published weight, 1. The tensors `first_stage` go into the
    checkpoint.
    """

    def __init__(self, network: DiT, latents: Latents, representations: Tensor, first_stage: State):
        betas = linear(TRAINED_STEPS)
        super().__init__(network, betas, representations.device)
        self.latents, self.representations = latents, representations
        self.first_stage = first_stage
        kept = kept_of(betas)
        before = torch.cat([torch.ones(1, dtype=torch.float64), kept[:-1]])
        posterior = betas * (1 - before) / (1 - kept)  # variance, (T,)
        posterior[0] = posterior[1]  # else 0, which has no logarithm
        self.least, self.largest = self.table(posterior.log()), self.table(betas.log())
        self.of_x0 = self.table(betas * before.sqrt() / (1 - kept))
        self.of_z = self.table((1 - before) * (1 - betas).sqrt() / (1 - kept))

    def __len__(self) -> int:
        return len(self.representations)

    def clean(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The latents, of unit size."""
        return self.latents.drawn(rows, generator)

    def predict(self, z: Tensor, t: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The noise in z, and where its variance lies in its range: (n, 2C, S, S)."""
        network: DiT = self.network  # type: ignore[assignment]
        without = torch.rand(len(rows), generator=generator, device=self.device)
        dropped = (without < WITHOUT_REPRESENTATION)[:, None]
        given = torch.where(dropped, network.fake_latent, self.representations[rows])
        return network(z, t, given)

    def error(self, said: Tensor, x0: Tensor, z: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error of the noise, and the bound in bits a number."""
        estimate, place = said.chunk(2, 1)
        return F.mse_loss(estimate, noise) + self.bound(estimate.detach(), place, x0, z, t)

    def bound(self, noise: Tensor, place: Tensor, x0: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """The bound () in bits a number, of estimates of the noise and of the variance's place.

        `place` (n, C, S, S) is -1 at the posterior's variance and 1 at beta, in logarithms.
        """
        kept = at(self.kept, t)
        estimate = (z - (1 - kept).sqrt() * noise) / kept.sqrt()
        of_x0, of_z = at(self.of_x0, t), at(self.of_z, t)
        mean, wanted = of_x0 * estimate + of_z * z, of_x0 * x0 + of_z * z
        least, largest = at(self.least, t), at(self.largest, t)
        log_variance = least + (place + 1) / 2 * (largest - least)
        ratio = (least - log_variance).exp() + (wanted - mean).square() / log_variance.exp()
        divergence = 0.5 * (log_variance - least - 1 + ratio)
        nats = torch.where(
            (t == 0)[:, None, None, None], -_likelihood(x0, mean, log_variance), divergence
        )
        return nats.mean() / math.log(2)

    def artifacts(self) -> dict[str, Tensor]:
        """The averaged weights under the published names, the latents' factor, the first stage."""
        factor = {SCALE: torch.tensor(self.latents.scale)}
        return {**self.averages(), **factor, **self.first_stage}


def _likelihood(x0: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-probability of the bin of x0, as of pixels, under normals; all alike (n, C, S, S)."""
    deviation = (0.5 * log_variance).exp()
    above, below = ((x0 - mean + end) / deviation for end in (BIN, -BIN))
    return (torch.special.ndtr(above) - torch.special.ndtr(below)).clamp(min=1e-12).log()
