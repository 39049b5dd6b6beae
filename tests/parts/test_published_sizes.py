"""Every published file goes the whole way from its place to a part, at its real size.

Tensors have no content (device meta), names and shapes are those that tests/networks holds against
the published lists.
"""

import argparse
import contextlib

import pytest
import torch
from safetensors.torch import save_file

from penumbra.networks.generative import autoencoder, dit, mage, moco, vqgan
from penumbra.networks.generative.diffusion import Schedule
from penumbra.networks.generative.ldm import Unet
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.loading.layouts import RENAMED
from penumbra.networks.loading.official import CATALOGUE
from penumbra.options.parts.autoencoder import Options
from penumbra.plugins import load
from tests.networks.helpers import first_stage_shapes

ENCODERS = {
    "moco-s": {"width": 384, "depth": 12, "heads": 12},
    "moco-b": {"width": 768, "depth": 12, "heads": 12},
    "moco-l": {"width": 1024, "depth": 24, "heads": 16},
}
MAGES = {"mage-b": {}, "mage-l": {**ENCODERS["moco-l"], "decoder_width": 1024}}
# diffusers' names of an attention's layers, and those of its first versions.
ATTENTION = {
    ".to_q.": ".query.",
    ".to_k.": ".key.",
    ".to_v.": ".value.",
    ".to_out.0.": ".proj_attn.",
}
KINDS = {"moco": "encoder"}  # of layouts that are called otherwise than the part


def named(prefix, state):
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


def encoder(name):
    state = moco.build(**ENCODERS[name]).state_dict()
    if name == "moco-l":
        for wrong, right in RENAMED.items():
            state = {key.replace(right, wrong): value for key, value in state.items()}
    return {"state_dict": named("module.base_encoder.", state), "arch": "vit", "epoch": 300}


def rdm(name):
    """Its schedule is real, as what samples from it is computed from its numbers."""
    own = moco.build(**ENCODERS[CATALOGUE[name].encoder])
    state = Rdm(conditional=name.endswith("classes"), encoder=own).state_dict()
    with torch.device("cpu"):
        betas = Schedule.scaled_linear().betas.float()
    return {"model": state | {"betas": betas}}


def mages(name):
    network = mage.build(**MAGES[name])
    network.accompany(vqgan.build(), moco.build(**ENCODERS[CATALOGUE[name].encoder]))
    return {"model": network.state_dict()}


def dits(name):
    state = dit.build(width=1152, depth=28, heads=16).state_dict()
    return {"model": state, "model_ema": state}


def ldm(name):
    raw = Unet().state_dict()
    averaged = {f"model_ema.diffusion_model{key.replace('.', '')}": v for key, v in raw.items()}
    shapes = first_stage_shapes((128, 256, 256, 512), 2, latent=4, codes=16384)
    first = {name: torch.empty(shape) for name, shape in shapes.items()}
    state = named("model.diffusion_model.", raw) | averaged | named("first_stage_model.", first)
    own = moco.build(**ENCODERS[CATALOGUE[name].encoder]).state_dict()
    return {"model": state | named("pretrained_encoder.", own)}


def first_stage(name):
    """Safetensors have numbers; attention has the names that diffusers gave it first."""
    state = autoencoder.build(Options()).state_dict()
    for new, old in ATTENTION.items():
        state = {key.replace(new, old): value for key, value in state.items()}
    return {key: torch.zeros(value.shape, device="cpu") for key, value in state.items()}


def tokenizer(name):
    return vqgan.build().state_dict()


MADE = {
    "moco": encoder, "rdm": rdm, "tokenizer": tokenizer, "mage": mages, "dit": dits, "ldm": ldm,
    "autoencoder": first_stage,
}  # fmt: skip


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_published_file_becomes_a_part(tmp_path, name):
    entry = CATALOGUE[name]
    with torch.device("meta"):
        content = MADE[entry.kind](name)
    file = tmp_path / entry.file
    file.parent.mkdir()
    held = [content[key] for key in ("model_ema", "model", "state_dict") if key in content]
    names = {key.removeprefix("module.base_encoder.") for key in [*held, content][0]}
    if file.suffix == ".safetensors":
        save_file(content, file)
    else:
        extra = {} if entry.kind == "tokenizer" else {"args": argparse.Namespace(lr=1.0)}
        torch.save({**content, **extra}, file)
    # So that networks are made without numbers, too, which takes seconds.
    bare = contextlib.nullcontext() if entry.kind == "rdm" else torch.device("meta")
    with bare:
        state = load("parts", KINDS.get(entry.kind, entry.kind)).published(file, {}, None)
    renamed = {"moco-l": RENAMED, "sd-vae": {old: new for new, old in ATTENTION.items()}}
    for wrong, right in renamed.get(name, {}).items():
        names = {key.replace(wrong, right) for key in names}
    assert state.keys() == names
