"""The LDM's first stage, CompVis' vq-f8: diffusers' VQModel under the published names."""

import functools
import re
from collections.abc import Iterable

import torch
from diffusers.models.autoencoders.vq_model import VQModel
from torch import Tensor

from penumbra.networks.loading.states import State, depth, restored, shape

OWNER = "first stage of the LDM"

# Published names and diffusers'; # is a number. `decoder.up` counts from the finest level,
# diffusers from the coarsest, hence the one rule that is not here.
RULES = (
    ("encoder.down.#.block.#.", "encoder.down_blocks.#.resnets.#."),
    ("encoder.down.#.attn.#.", "encoder.down_blocks.#.attentions.#."),
    ("encoder.down.#.downsample.", "encoder.down_blocks.#.downsamplers.0."),
    ("decoder.up.#.block.#.", "decoder.up_blocks.#.resnets.#."),
    ("decoder.up.#.attn.#.", "decoder.up_blocks.#.attentions.#."),
    ("decoder.up.#.upsample.", "decoder.up_blocks.#.upsamplers.0."),
    (".mid.block_1.", ".mid_block.resnets.0."),
    (".mid.block_2.", ".mid_block.resnets.1."),
    (".mid.attn_1.", ".mid_block.attentions.0."),
    (".nin_shortcut.", ".conv_shortcut."),
    (".norm_out.", ".conv_norm_out."),
    ("attentions.#.norm.", "attentions.#.group_norm."),
    ("attentions.#.q.", "attentions.#.to_q."),
    ("attentions.#.k.", "attentions.#.to_k."),
    ("attentions.#.v.", "attentions.#.to_v."),
    ("attentions.#.proj_out.", "attentions.#.to_out.0."),
)


def _renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for old, new in rules:
        pattern = re.escape(old).replace(r"\#", r"(\d+)")
        name = re.sub(pattern, _with_groups(new), name)
    return name


def _with_groups(new: str) -> str:
    """The numbers of a new name are those of the old one, in order."""
    first, *rest = new.split("#")
    return first + "".join(rf"\g<{i}>{text}" for i, text in enumerate(rest, 1))


def _turned(name: str, levels: int) -> str:
    """The decoder's levels counted from the other end."""
    return re.sub(r"up_blocks\.(\d+)", lambda m: f"up_blocks.{levels - 1 - int(m[1])}", name)


def converted(state: State) -> dict[str, Tensor]:
    """Published names and shapes -> diffusers': attention's 1×1 convolutions become linear."""
    levels = depth(state, "decoder.up.")
    tensors = {}
    for published, tensor in state.items():
        name = _turned(_renamed(published, RULES), levels)
        linear = ".attentions." in name and tensor.ndim == 4
        tensors[name] = tensor[:, :, 0, 0] if linear else tensor
    return tensors


def published(state: State) -> dict[str, Tensor]:
    """The inverse: diffusers' names and shapes -> the published ones."""
    levels = depth(state, "decoder.up_blocks.")
    tensors = {}
    for name, tensor in state.items():
        linear = ".attentions." in name and tensor.ndim == 2
        rules = ((own, theirs) for theirs, own in reversed(RULES))
        tensors[_renamed(_turned(name, levels), rules)] = (
            tensor[:, :, None, None] if linear else tensor
        )
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
    make = functools.partial(
        VQModel,
        down_block_types=tuple(f"{'Attn' if a else ''}DownEncoderBlock2D" for a in attends),
        up_block_types=tuple(f"{'Attn' if a else ''}UpDecoderBlock2D" for a in attends[::-1]),
        block_out_channels=tuple(shape(state, conv.format(i), OWNER)[0] for i in levels),
        layers_per_block=depth(state, "encoder.down.0.block."),
        latent_channels=shape(state, "encoder.conv_out.weight", OWNER)[0],
        num_vq_embeddings=codes,
        vq_embed_dim=code_width,
        scaling_factor=1.0,
    )
    return restored(make, converted(state), OWNER)


def decode(model: VQModel, latents: Tensor) -> Tensor:
    """Latents (N, C, S, S), each place set to its nearest code -> (N, 3, 8S, 8S) in [-1, 1]."""
    # One image at a time: the distances to all 16,384 codes of one take 64 MB.
    images = [model.decode(latent).sample for latent in latents.split(1)]
    return torch.cat(images).clamp(-1, 1)
