"""Training of MAGE's tokenizer on images that lie on the device."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.vqgan import Tokenizer

PATIENCE = 20  # steps that a code may stay unused


class Training(nn.Module):
    """The tokenizer and, for each code (K,), how many steps ago it was last nearest to a vector."""

    idle: Tensor

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        self.tokenizer = tokenizer
        # No code has been used yet, so the first batch lends its vectors to all.
        idle = torch.full_like(tokenizer.quantize.embedding.weight[:, 0], PATIENCE)
        self.register_buffer("idle", idle.detach().long())


class TokenizerObjective:
    """Absolute reconstruction error and the codebook's loss, of pixels uint8 (N, 3, H, W).

    The published tokenizer was trained with a perceptual and an adversarial loss, too; they need
    a pretrained VGG and a discriminator, and are left out. A code unused for PATIENCE steps
    becomes a random vector of the batch, so that a short training fills the codebook.

    Raises:
        PenumbraError: there are no images, or their sides do not fit the tokenizer.
    """

    def __init__(self, tokenizer: Tokenizer, pixels: Tensor):
        if not len(pixels) or any(side % tokenizer.scale for side in pixels.shape[2:]):
            raise PenumbraError(
                f"tokenizer: images of shape {tuple(pixels.shape)}; it needs at least one, with "
                f"sides that are multiples of {tokenizer.scale}"
            )
        self.module, self.pixels = Training(tokenizer.to(pixels.device)), pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The loss () of the images `rows` (n,); unused codes start anew before it."""
        tokenizer = self.module.tokenizer
        x = self.pixels[rows].float() / 255
        z = tokenizer.vectors(x)
        self._restart(z.detach(), generator)
        indices = tokenizer.quantize.nearest(z)
        self._count(indices)
        reconstruction, codebook = tokenizer.through(z, indices)
        return F.l1_loss(reconstruction, x) + codebook

    def after(self) -> None:
        """Nothing follows a step."""

    def artifacts(self) -> dict[str, Tensor]:
        """The tokenizer's state dict."""
        return self.module.tokenizer.state_dict()

    @torch.no_grad()
    def _restart(self, z: Tensor, generator: torch.Generator) -> None:
        codes = self.module.tokenizer.quantize.embedding.weight
        vectors = z.permute(0, 2, 3, 1).flatten(0, 2).to(codes.dtype)
        picks = torch.randint(len(vectors), (len(codes),), generator=generator, device=codes.device)
        dead = self.module.idle >= PATIENCE
        codes.copy_(vectors[picks].where(dead[:, None], codes))
        self.module.idle.masked_fill_(dead, 0)

    def _count(self, indices: Tensor) -> None:
        self.module.idle += 1
        self.module.idle[indices.flatten()] = 0
