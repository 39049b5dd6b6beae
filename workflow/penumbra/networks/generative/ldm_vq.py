"""The LDM's first stage, CompVis' vq-f8: diffusers' VQModel under the published names."""

import re

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor

from penumbra.networks.loading.states import State, adopt, depth, shape

OWNER = "first stage of the LDM"

# Published names -> diffusers'; `decoder.up` counts from the finest level, diffusers from the
# coarsest, hence the one rule that is not here.
RULES = (
    (r"encoder\.down\.(\d+)\.block\.(\d+)\.", r"encoder.down_blocks.\1.resnets.\2."),
    (r"encoder\.down\.(\d+)\.attn\.(\d+)\.", r"encoder.down_blocks.\1.attentions.\2."),
    (r"encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
    (r"decoder\.up\.(\d+)\.block\.(\d+)\.", r"decoder.up_blocks.\1.resnets.\2."),
    (r"decoder\.up\.(\d+)\.attn\.(\d+)\.", r"decoder.up_blocks.\1.attentions.\2."),
    (r"decoder\.up\.(\d+)\.upsample\.", r"decoder.up_blocks.\1.upsamplers.0."),
    (r"\.mid\.block_1\.", r".mid_block.resnets.0."),
    (r"\.mid\.block_2\.", r".mid_block.resnets.1."),
    (r"\.mid\.attn_1\.", r".mid_block.attentions.0."),
    (r"\.nin_shortcut\.", r".conv_shortcut."),
    (r"\.norm_out\.", r".conv_norm_out."),
    (r"(attentions\.\d+)\.norm\.", r"\1.group_norm."),
    (r"(attentions\.\d+)\.([qkv])\.", r"\1.to_\2."),
    (r"(attentions\.\d+)\.proj_out\.", r"\1.to_out.0."),
)


def converted(state: State) -> dict[str, Tensor]:
    """Published names and shapes -> diffusers': attention's 1×1 convolutions become linear."""
    levels = depth(state, "decoder.up.")
    tensors = {}
    for name, tensor in state.items():
        for pattern, replacement in RULES:
            name = re.sub(pattern, replacement, name)
        name = re.sub(r"up_blocks\.(\d+)", lambda m: f"up_blocks.{levels - 1 - int(m[1])}", name)
        linear = ".attentions." in name and tensor.ndim == 4
        tensors[name] = tensor[:, :, 0, 0] if linear else tensor
    return tensors


def from_state(state: State) -> VQModel:
    """The first stage whose sizes the shapes of `state`, in published names, show.

    Raises:
        PenumbraError: tensors are missing, not expected or of another shape.
    """
    levels = range(depth(state, "encoder.down."))
    attends = [f"encoder.down.{i}.attn.0.q.weight" in state for i in levels]
    codes, code_width = shape(state, "quantize.embedding.weight", OWNER)
    conv = "encoder.down.{}.block.0.conv2.weight"
    with torch.device("meta"):  # initial weights would be overwritten at once
        model = VQModel(
            down_block_types=tuple(f"{'Attn' if a else ''}DownEncoderBlock2D" for a in attends),
            up_block_types=tuple(f"{'Attn' if a else ''}UpDecoderBlock2D" for a in attends[::-1]),
            block_out_channels=tuple(shape(state, conv.format(i), OWNER)[0] for i in levels),
            layers_per_block=depth(state, "encoder.down.0.block."),
            latent_channels=shape(state, "encoder.conv_out.weight", OWNER)[0],
            num_vq_embeddings=codes,
            vq_embed_dim=code_width,
            scaling_factor=1.0,
        )
    adopt(model, converted(state), OWNER)
    return model.eval()


def decode(model: VQModel, latents: Tensor) -> Tensor:
    """Latents (N, C, S, S), each place set to its nearest code -> (N, 3, 8S, 8S) in [-1, 1]."""
    # One image at a time: the distances to all 16,384 codes of one take 64 MB.
    images = [model.decode(latent).sample for latent in latents.split(1)]
    return torch.cat(images).clamp(-1, 1)
