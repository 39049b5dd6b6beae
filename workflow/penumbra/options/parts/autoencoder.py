"""Options of the first stage of latent diffusion, and of its training."""

from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Filled, Multiple, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; the defaults are those of Stable Diffusion's (sd-vae-ft-ema)."""

    OWNER = "autoencoder"

    latents: Literal["kl", "vq"] = "kl"
    """kl: normal, as the DiT takes them; vq: each place one of the codes, as the LDM does."""
    width: Annotated[int, Bound(low=32), Multiple(32)] = 128
    """Channels that the multipliers multiply, in groups of 32, as its norms take them."""
    multipliers: Annotated[tuple[Count, ...], Filled()] = (1, 2, 4, 4)
    """Of the channels, from the highest resolution to the lowest; each level halves the side."""
    blocks: Count = 2
    """Residual blocks of each resolution."""
    channels: Count = 4
    """Channels of the latents."""
    codes: Annotated[int, Bound(low=2)] = 16384
    """Codes of the codebook, of vq alone."""

    @property
    def scale(self) -> int:
        """Pixels of a latent's side."""
        return 2 ** (len(self.multipliers) - 1)


@dataclass(frozen=True, kw_only=True)
class Objective(check.Options):
    """What stands beside the reconstruction."""

    OWNER = "objective of the autoencoder"

    kl_weight: NotNegative = 1e-6
    """Weight of the divergence from unit normals, of kl alone; published: 1e-6."""
