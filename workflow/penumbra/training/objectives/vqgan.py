"""Training of MAGE's tokenizer on images that lie on the device."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.training.objectives.codebook import Idle


class Training(nn.Module):
    """The tokenizer and the state of its codebook's training."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        self.tokenizer = tokenizer
        self.idle = Idle(tokenizer.quantize.embedding.weight)


class TokenizerObjective:
    """Absolute reconstruction error and the codebook's loss, of pixels uint8 (N, 3, H, W).

    The published tokenizer was trained with a perceptual and an adversarial loss, too; they need
    a pretrained VGG and a discriminator, and are left out. A code that stays unused
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
        codes = tokenizer.quantize.embedding.weight
        self.module.idle.restart(codes, z.detach(), generator)
        indices = tokenizer.quantize.nearest(z)
        self.module.idle.count(indices)
        reconstruction, codebook = tokenizer.through(z, indices)
        return F.l1_loss(reconstruction, x) + codebook

    def after(self) -> None:
        """Nothing follows a step."""

    def artifacts(self) -> dict[str, Tensor]:
        """The tokenizer's state dict."""
        return self.module.tokenizer.state_dict()
