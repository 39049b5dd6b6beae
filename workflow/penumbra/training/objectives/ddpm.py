"""Training of a diffusion model on pixels that lie on the device."""

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.options.parts.ddpm import TRAINED_STEPS
from penumbra.training.objectives.denoising import DenoisingObjective, linear, signed


class DdpmObjective(DenoisingObjective):
    """The noise in images uint8 (N, 3, S, S), mirrored at random where they `flip`.

    Raises:
        PenumbraError: the images are of another size than the network's.
    """

    def __init__(self, network: UNet2DModel, pixels: Tensor, flip: bool):
        size = network.config["sample_size"]
        if pixels.shape[2:] != (size, size):
            raise PenumbraError(
                f"ddpm: images of {pixels.shape[2]}×{pixels.shape[3]} pixels, and its image_size "
                f"is {size}; make them alike"
            )
        super().__init__(network, linear(TRAINED_STEPS), pixels.device)
        self.pixels, self.flip = pixels, flip

    def __len__(self) -> int:
        return len(self.pixels)

    def clean(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The images, in [-1, 1]."""
        x = signed(self.pixels[rows])
        if not self.flip:
            return x
        mirrored = torch.rand(len(rows), generator=generator, device=self.device) < 0.5
        return x.flip(3).where(mirrored[:, None, None, None], x)

    def predict(self, z: Tensor, t: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The noise in z."""
        return self.network(z, t).sample

    def artifacts(self) -> dict[str, Tensor]:
        """The averaged weights, under diffusers' names."""
        return self.averages()
