"""Images by diffusion: RCG's DiT and LDM of representations (badood, Figure 4b), DDPM of nothing.

diffusers' schedulers take the steps; the published ones are 250 ancestral steps with a learned
variance for the DiT, and 200 DDIM steps with eta 1 for the LDM.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.generative import ldm_vq
from penumbra.networks.generative.autoencoder import Autoencoder
from penumbra.networks.generative.dit import DiT
from penumbra.networks.generative.ldm import Unet
from penumbra.options.parts import ddpm, dit, ldm
from penumbra.options.parts.dit import TRAINED_STEPS
from penumbra.seeds import derive

LATENT_SCALE = 0.18215  # of sd-vae-ft-ema's latents
ANCESTRAL: dict[str, Any] = {
    "num_train_timesteps": TRAINED_STEPS,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
    "timestep_spacing": "linspace",
}


@dataclass(frozen=True)
class Diffusion:
    """A network that denoises latents, its steps, and the way from latents to images.

    `predict` takes latents (n, C, S, S), a time index (n,) and representations (n, R), in bfloat16
    where it is `lowered`; `decode` gives images (n, 3, H, W) in [-1, 1]; `options` go to every step
    of the scheduler.
    """

    name: str
    representation: int
    shape: tuple[int, int, int]
    scheduler: Any
    predict: Callable[[Tensor, Tensor, Tensor], Tensor]
    decode: Callable[[Tensor], Tensor]
    lowered: bool = False
    options: dict[str, float] = field(default_factory=dict)


def of_dit(
    network: DiT, autoencoder: Autoencoder, scale: float = LATENT_SCALE, **decoding: Any
) -> Diffusion:
    """Ancestral sampling at `steps` of the 1,000 time steps, evenly spread from 0 to 999.

    The network's latents are those of the autoencoder times `scale`.

    Raises:
        PenumbraError: more steps than were trained.
    """
    how = dit.Decoding.of(decoding)
    scheduler = DDPMScheduler(**ANCESTRAL, variance_type="learned_range", clip_sample=False)
    scheduler.set_timesteps(how.steps)
    return Diffusion(
        name="DiT",
        representation=network.representation,
        shape=(network.channels, network.side, network.side),
        scheduler=scheduler,
        predict=lambda x, t, z: network.guided(x, t, z, how.guidance),
        decode=lambda x: autoencoder.decode(x / scale).sample,
        lowered=how.precision == "bfloat16",
    )


def of_ddpm(network: UNet2DModel, **decoding: Any) -> Diffusion:
    """Ancestral sampling of pixels at `steps` of the 1,000, with the posterior's variance.

    Estimates of the image are cut off at -1 and 1. Its representations have no numbers: (N, 0).
    """
    how = ddpm.Decoding.of(decoding)
    scheduler = DDPMScheduler(**ANCESTRAL, variance_type="fixed_small", clip_sample=True)
    scheduler.set_timesteps(how.steps)
    size = network.config["sample_size"]
    return Diffusion(
        name="DDPM",
        representation=0,
        shape=(network.config["in_channels"], size, size),
        scheduler=scheduler,
        predict=lambda x, t, z: network(x, t).sample,
        decode=lambda x: x,
        lowered=how.precision == "bfloat16",
    )


def of_ldm(network: Unet, autoencoder: VQModel, scale: float = 1.0, **decoding: Any) -> Diffusion:
    """DDIM on the time steps 1, 1 + 1000/steps, …, ending at index 0's noise as published.

    The network's latents are those of the autoencoder times `scale`.

    Raises:
        PenumbraError: steps that the published grid does not allow.
    """
    how = ldm.Decoding.of(decoding)
    scheduler = DDIMScheduler(
        TRAINED_STEPS,
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.set_timesteps(how.steps)
    return Diffusion(
        name="LDM",
        representation=network.context,
        shape=(network.channels, how.side, how.side),
        scheduler=scheduler,
        predict=lambda x, t, z: network(x, t, z[:, None]),
        decode=lambda x: ldm_vq.decode(autoencoder, x / scale),
        lowered=how.precision == "bfloat16",
        options={"eta": how.eta},
    )


def trajectory(
    diffusion: Diffusion,
    representations: Tensor,
    latents: Tensor,
    generators: list[torch.Generator],
) -> Iterator[Any]:
    """The scheduler's output of each step: `prev_sample`, `pred_original_sample` (n, C, S, S).

    `latents` (n, C, S, S) is the noise to start from.
    """
    for step in diffusion.scheduler.timesteps.tolist():
        t = torch.full((len(latents),), step, device=latents.device)
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=diffusion.lowered):
            predicted = diffusion.predict(latents, t, representations)
        output = diffusion.scheduler.step(
            predicted.to(latents.dtype), step, latents, generator=generators, **diffusion.options
        )
        latents = output.prev_sample
        yield output


@torch.inference_mode()
def images(
    diffusion: Diffusion,
    representations: Tensor,
    seeds: Sequence[int],
    batch_size: int,
) -> Tensor:
    """Representations (N, R) on the device -> uint8 images (N, 3, H, W) on the CPU.

    Image i depends on representation i and seed i alone.

    Raises:
        PenumbraError: the numbers of seeds, or the width of the representations, do not fit, or
            the latents are not finite.
    """
    _check(diffusion, representations, seeds)
    batches = []
    for start in range(0, len(seeds), batch_size):
        part = representations[start : start + batch_size]
        generators = [_generator(seed) for seed in seeds[start : start + batch_size]]
        shape = (len(part), *diffusion.shape)
        latents = randn_tensor(shape, generators, part.device, part.dtype)
        for output in trajectory(diffusion, part, latents, generators):
            latents = output.prev_sample
        _check_finite(diffusion, latents, start)
        batches.append(to_uint8(diffusion.decode(latents)).cpu())
    return torch.cat(batches)


def to_uint8(x: Tensor) -> Tensor:
    """[-1, 1] -> 0 … 255, clamped, and cut off rather than rounded, as RCG writes images."""
    return ((x.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8)


def _generator(seed: int) -> torch.Generator:
    # On the CPU whatever the device is, so that draws do not depend on it.
    return torch.Generator().manual_seed(derive(seed, "latents"))


def _check(diffusion: Diffusion, representations: Tensor, seeds: Sequence[int]) -> None:
    if len(representations) != len(seeds) or not len(seeds):
        raise PenumbraError(
            f"{diffusion.name}: {len(representations)} representations and {len(seeds)} seeds; "
            f"each image needs one of both"
        )
    if representations.shape[1] != diffusion.representation:
        raise PenumbraError(
            f"{diffusion.name}: conditioned on {diffusion.representation} numbers, but the "
            f"representations have {representations.shape[1]}; use those of its own encoder"
        )


def _check_finite(diffusion: Diffusion, latents: Tensor, start: int) -> None:
    bad = (~latents.flatten(1).isfinite().all(1)).nonzero()
    if len(bad):
        raise PenumbraError(
            f"{diffusion.name}: the latents of image {start + int(bad[0])} are not finite; sample "
            f"in float32, with less guidance, or look at its representation"
        )
