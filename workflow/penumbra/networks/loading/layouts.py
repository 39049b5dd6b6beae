"""How published checkpoint files are laid out: where in each the state dict is, and its names."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.loading.names import listed
from penumbra.networks.loading.states import under

AVERAGED = "model_ema."

# The published ViT-L has two numbers in these names that its blocks' numbers overwrote.
RENAMED = {
    "blocks.13.norm13.": "blocks.13.norm1.",
    "blocks.13.mlp.fc13.": "blocks.13.mlp.fc1.",
    "blocks.14.norm14.": "blocks.14.norm2.",
    "blocks.14.mlp.fc14.": "blocks.14.mlp.fc2.",
}

# Names of an attention's layers in files of diffusers before version 0.15.
DEPRECATED = {
    rf"(\.attentions\.\d+)\.{old}\.": rf"\1.{new}."
    for old, new in (
        *(("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")),
    )
}

# Of one or several processes; then of a linear probe, or of the encoder alone.
MOCO_PREFIXES = ("module.base_encoder.", "base_encoder.", "module.", "")


def _entry(content: Any, key: str, path: Path) -> dict[str, Tensor]:
    state = content.get(key) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping):
        has = listed(map(str, content)) if isinstance(content, Mapping) else type(content).__name__
        raise PenumbraError(f"{path}: holds no state dict {key!r}; it has {has}")
    return _tensors(state, path)


def _tensors(state: Mapping[str, Any], path: Path) -> dict[str, Tensor]:
    others = [str(name) for name, value in state.items() if not isinstance(value, Tensor)]
    if others:
        raise PenumbraError(f"{path}: not a state dict; not tensors: {listed(others)}")
    return dict(state)


def _moco(content: Any, path: Path) -> dict[str, Tensor]:
    whole = _bare(content, path)
    candidates = (under(whole, prefix) for prefix in MOCO_PREFIXES)
    state = next(filter(None, candidates), {})
    if "head.weight" in state:
        raise PenumbraError(
            f"{path}: a linear probe of MoCo-v3; its head.weight is a classifier, and the "
            "projector that gives representations is not in it. Take the checkpoint that the "
            "probe was trained from"
        )
    for wrong, right in RENAMED.items():
        state = {name.replace(wrong, right): value for name, value in state.items()}
    return state


def _diffusers(content: Any, path: Path) -> dict[str, Tensor]:
    state = _tensors(content, path)
    for old, new in DEPRECATED.items():
        state = {re.sub(old, new, name): value for name, value in state.items()}
    return state


def _bare(content: Any, path: Path) -> dict[str, Tensor]:
    if isinstance(content, Mapping) and "state_dict" not in content:
        return _tensors(content, path)
    return _entry(content, "state_dict", path)


def _inside(key: str) -> Callable[[Any, Path], dict[str, Tensor]]:
    return lambda content, path: _entry(content, key, path)


@dataclass(frozen=True)
class Layout:
    """How files of one kind are laid out; beginnings of names that each of them has."""

    what: str
    find: Callable[[Any, Path], dict[str, Tensor]]
    required: tuple[str, ...]


LAYOUTS = {
    "moco": Layout("a MoCo-v3 encoder", _moco, ("cls_token", "blocks.0.", "head.6.")),
    "rdm": Layout(
        "an RDM with averaged weights",
        _inside("model"),
        ("model.diffusion_model.input_proj.", f"{AVERAGED}diffusion_model"),
    ),
    "tokenizer": Layout(
        "MAGE's tokenizer", _bare, ("encoder.conv_in.", "decoder.conv_in.", "quantize.embedding.")
    ),
    "mage": Layout("a MAGE", _inside("model"), ("token_emb.", "latent_prior_proj.", "mlm_layer.")),
    "dit": Layout("a DiT of RCG", _inside("model_ema"), ("x_embedder.", "rep_embedder.")),
    "autoencoder": Layout(
        "a first stage as diffusers stores it",
        _diffusers,
        ("encoder.conv_in.", "decoder.conv_in.", "quant_conv."),
    ),
    "ddpm": Layout(
        "a UNet2DModel as diffusers stores it",
        _diffusers,
        ("conv_in.", "time_embedding.", "mid_block."),
    ),
    "ldm": Layout(
        "an LDM of RCG with averaged weights",
        _inside("model"),
        (
            "model.diffusion_model.input_blocks.",
            f"{AVERAGED}diffusion_model",
            "first_stage_model.decoder.",
        ),
    ),
}
