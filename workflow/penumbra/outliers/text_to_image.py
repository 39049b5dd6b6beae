"""Images from texts by Stable Diffusion, steps of PLMS and classifier-free guidance (Dream-OOD)."""

from collections.abc import Sequence

import numpy as np
import torch
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.utils.torch_utils import randn_tensor
from PIL import Image
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.generative.stable_diffusion import StableDiffusion
from penumbra.options.parts.stable_diffusion import Sampling
from penumbra.outliers.generators import to_uint8
from penumbra.seeds import derive


@torch.inference_mode()
def images(
    model: StableDiffusion, contexts: Tensor, seeds: Sequence[int], how: Sampling
) -> np.ndarray:
    """A batch of images uint8 (n, 3, H, W) of contexts (n, L, D).

    Image i depends on its own context and seed alone.

    Raises:
        PenumbraError: latents are not finite.
    """
    latents = _denoised(model, _noise(model, seeds), contexts, how)
    check_finite(latents)
    return sized(to_uint8(model.decode(latents)).cpu().numpy(), how.size)


def _denoised(model: StableDiffusion, latents: Tensor, contexts: Tensor, how: Sampling) -> Tensor:
    """Latents (n, 4, S, S) after all steps from noise of unit deviation."""
    # It keeps earlier estimates, so each batch has one of its own. Warm-up by Runge and Kutta is
    # left out, as by the authors of Stable Diffusion.
    scheduler = PNDMScheduler.from_config({**model.schedule, "skip_prk_steps": True})
    scheduler.set_timesteps(how.steps)
    both = torch.cat([model.contexts([""]).expand_as(contexts), contexts])
    lowered = how.precision == "bfloat16"
    for step in scheduler.timesteps.tolist():
        noise = estimate(model, torch.cat([latents, latents]), step, both, lowered)
        without, under = noise.chunk(2)
        noise = without + how.guidance * (under - without)
        latents = scheduler.step(noise, step, latents).prev_sample
    return latents


def estimate(
    model: StableDiffusion, latents: Tensor, step: int, contexts: Tensor, lowered: bool
) -> Tensor:
    """The U-Net's estimate (n, 4, S, S) in float32; `lowered` runs it in bfloat16."""
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=lowered):
        predicted = model.predict(latents, step, contexts)
    return predicted.float()


def _noise(model: StableDiffusion, seeds: Sequence[int]) -> Tensor:
    # On the CPU whatever the device is, so that draws do not depend on it.
    generators = [torch.Generator().manual_seed(derive(seed, "latents")) for seed in seeds]
    return randn_tensor((len(generators), *model.latent_shape), generators, model.device)


def check_finite(latents: Tensor) -> None:
    """Refuse latents (n, 4, S, S) that are not numbers.

    Raises:
        PenumbraError: says of how many images.
    """
    bad = int((~latents.flatten(1).isfinite().all(1)).sum())
    if bad:
        raise PenumbraError(
            f"Stable Diffusion: the latents of {bad} of {len(latents)} images are not finite; "
            "sample in float32, or with less guidance"
        )


def sized(pixels: np.ndarray, size: int | None) -> np.ndarray:
    """Images uint8 (N, 3, H, W) at size × size, bilinear; as they are without a size."""
    if size is None or pixels.shape[2:] == (size, size):
        return pixels
    resized = [
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).resize(
            (size, size), Image.Resampling.BILINEAR
        )
        for image in pixels
    ]
    return np.stack([np.asarray(image) for image in resized]).transpose(0, 3, 1, 2)
