"""Training of the first stage of latent diffusion on images that lie on the device."""

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.autoencoder import Autoencoder
from penumbra.training.objectives.codebook import Idle
from penumbra.training.objectives.denoising import signed

COMMITMENT = 0.25  # what vectors are drawn to their codes with, beside codes to their vectors


class Training(nn.Module):
    """The first stage, and of a codebook the state of its training."""

    def __init__(self, model: Autoencoder):
        super().__init__()
        self.model = model
        self.idle = Idle(model.quantize.embedding.weight) if isinstance(model, VQModel) else None


class AutoencoderObjective:
    """Absolute reconstruction error in [-1, 1], and what the latents are held to.

    That is `kl_weight` times the divergence of kl's from unit normals, a sum over an image's
    latents, or the codebook's loss of vq's. The published ones were trained with a perceptual and
    an adversarial loss, too, which need a pretrained VGG and a discriminator, and are left out.

    Raises:
        PenumbraError: the images' sides do not fit the first stage, whose latents have `scale`
            pixels a side.
    """

    def __init__(self, model: Autoencoder, pixels: Tensor, scale: int, kl_weight: float):
        if any(side % scale for side in pixels.shape[2:]):
            raise PenumbraError(
                f"autoencoder: images of {pixels.shape[2]}×{pixels.shape[3]} pixels; its levels "
                f"need sides that are multiples of {scale}: take fewer multipliers"
            )
        self.module, self.pixels = Training(model).to(pixels.device), pixels
        self.kl_weight = kl_weight

    def __len__(self) -> int:
        return len(self.pixels)

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The loss () of the images `rows` (n,); unused codes start anew before it."""
        x, model = signed(self.pixels[rows]), self.module.model
        if isinstance(model, VQModel):
            return self._of_codes(model, x, generator)
        normal = model.encode(x).latent_dist
        noise = torch.randn(normal.mean.shape, generator=generator, device=x.device)
        made = model.decode(normal.mean + normal.std * noise).sample
        return F.l1_loss(made.float(), x) + self.kl_weight * normal.kl().mean()

    def _of_codes(self, model: VQModel, x: Tensor, generator: torch.Generator) -> Tensor:
        idle = self.module.idle
        assert idle is not None
        z = model.encode(x).latents
        idle.restart(model.quantize.embedding.weight, z.detach(), generator)
        codes, _, (_, _, indices) = model.quantize(z)
        idle.count(indices)
        nearest = model.quantize.embedding(indices).unflatten(0, (len(z), *z.shape[2:]))
        nearest = nearest.permute(0, 3, 1, 2)
        codebook = F.mse_loss(nearest, z.detach()) + COMMITMENT * F.mse_loss(z, nearest.detach())
        made = model.decoder(model.post_quant_conv(codes))
        return F.l1_loss(made.float(), x) + codebook

    def after(self) -> None:
        """Nothing follows a step."""

    def artifacts(self) -> dict[str, Tensor]:
        """The first stage's state dict."""
        return self.module.model.state_dict()
