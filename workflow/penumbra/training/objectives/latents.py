"""The latents of training images, which the DiT and the LDM are trained on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from penumbra.networks.generative.autoencoder import Autoencoder, encoded
from penumbra.training.objectives.denoising import signed

SCALE = "scale_factor"  # of a checkpoint's latents, CompVis' name


@dataclass(frozen=True)
class Latents:
    """Mean and deviation (N, C, S, S) of all images' latents, and what brings them to unit size.

    `scale` is one over their standard deviation, as CompVis' `scale_by_std` has it.
    """

    mean: Tensor
    deviation: Tensor
    scale: float

    def drawn(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Latents (n, C, S, S) of the images `rows` (n,), of unit size."""
        mean, deviation = self.mean[rows], self.deviation[rows]
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        return (mean + deviation * noise) * self.scale


@torch.no_grad()
def latents(model: Autoencoder, pixels: Tensor, batch_size: int) -> Latents:
    """Those of images uint8 (N, 3, H, W) by a first stage on their device."""
    batches = [encoded(model, signed(batch)) for batch in pixels.split(batch_size)]
    mean, deviation = (torch.cat(each) for each in zip(*batches, strict=True))
    variance = mean.var() + deviation.square().mean()
    return Latents(mean, deviation, 1 / variance.sqrt().item())
