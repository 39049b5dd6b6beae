"""A diffusion model of pixels (Ho et al. 2020; Song et al.'s VP-SDE in 1,000 steps).

Its network is diffusers' UNet2DModel, built as that of DDPM's published weights is.
"""

from collections.abc import Mapping
from typing import Any

from diffusers.models.unets.unet_2d import UNet2DModel

from penumbra.networks.loading.states import State, restored
from penumbra.options.parts.ddpm import GROUPS, Options

OWNER = "ddpm"


def build(options: Options) -> UNet2DModel:
    """A network of random weights that predicts the noise in images in [-1, 1]."""
    down = tuple(f"{'Attn' if attends else ''}DownBlock2D" for attends in options.attention)
    up = tuple(f"{'Attn' if attends else ''}UpBlock2D" for attends in options.attention[::-1])
    return UNet2DModel(
        sample_size=options.image_size,
        block_out_channels=tuple(options.width * factor for factor in options.multipliers),
        layers_per_block=options.blocks,
        down_block_types=down,
        up_block_types=up,
        dropout=options.dropout,
        norm_num_groups=min(GROUPS, options.width),
        freq_shift=1,
        flip_sin_to_cos=False,
        downsample_padding=0,
        norm_eps=1e-6,
        attention_head_dim=None,
    )


def with_weights(options: Mapping[str, Any], state: State) -> UNet2DModel:
    """The network of these options with its weights, in eval mode.

    Raises:
        PenumbraError: tensors are missing, not expected or of another shape.
    """
    return restored(lambda: build(Options.of(options)), state, OWNER)
