"""First stages of latent diffusion (Rombach et al. 2022): diffusers' autoencoders.

Images are in [-1, 1]. `kl` gives the mean and the deviation of normal latents, `vq` latents that
the decoder sets to their nearest codes.
"""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor

from penumbra.networks.loading.states import State, depth, restored, shape
from penumbra.options.parts.autoencoder import Options

Autoencoder = AutoencoderKL | VQModel
OWNER = "autoencoder"


def build(options: Options) -> Autoencoder:
    """A first stage, randomly initialised."""
    levels = len(options.multipliers)
    sizes: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * levels,
        "up_block_types": ("UpDecoderBlock2D",) * levels,
        "block_out_channels": tuple(options.width * factor for factor in options.multipliers),
        "layers_per_block": options.blocks,
        "latent_channels": options.channels,
        "scaling_factor": 1.0,
    }
    if options.latents == "kl":
        return AutoencoderKL(**sizes)
    return VQModel(**sizes, num_vq_embeddings=options.codes)


def with_weights(options: Mapping[str, Any], state: State) -> Autoencoder:
    """The first stage of these options with its weights, in eval mode.

    Raises:
        PenumbraError: tensors are missing, not expected or of another shape.
    """
    return restored(lambda: build(Options.of(options)), state, OWNER)


def kl_from_state(state: State) -> Autoencoder:
    """The first stage whose sizes the shapes of `state` show, with its weights, in eval mode.

    Raises:
        PenumbraError: tensors are missing, not expected or of another shape.
    """
    width = shape(state, "encoder.conv_in.weight", OWNER)[0]
    levels = range(depth(state, "encoder.down_blocks."))
    conv = "encoder.down_blocks.{}.resnets.0.conv2.weight"
    sizes = [shape(state, conv.format(level), OWNER)[0] for level in levels]
    options = {
        "width": width,
        "multipliers": [size // width for size in sizes],
        "blocks": depth(state, "encoder.down_blocks.0.resnets."),
        "channels": shape(state, "quant_conv.weight", OWNER)[0] // 2,
    }
    return with_weights(options, state)


def encoded(model: Autoencoder, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (N, C, S, S) each of the latents of images x (N, 3, H, W) in [-1, 1].

    The deviation of vq's is 0.
    """
    if isinstance(model, VQModel):
        mean = model.encode(x).latents
        return mean, torch.zeros_like(mean)
    normal = model.encode(x).latent_dist
    return normal.mean, normal.std
