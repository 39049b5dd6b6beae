"""Parts taken over from files laid out as the published ones, and trained ones that equal them."""

import argparse

import pytest
import torch
from safetensors.torch import save_file

from penumbra.errors import PenumbraError
from penumbra.networks.generative import autoencoder as networks_autoencoder
from penumbra.networks.generative import moco
from penumbra.networks.generative.mage import Mage
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.options.parts.autoencoder import Options
from penumbra.parts import autoencoder, ddpm, dit, encoder, ldm, mage, rdm, tokenizer
from penumbra.training.part_data import Data
from penumbra.training.parts import fit

SIZES = {"width": 12, "depth": 1, "heads": 2, "patch": 8, "image_size": 16}
SIZES |= {"projector": 16, "representation": 8}
HEADS = {"heads": 2, "decoder_heads": 2}
TOKENS = {"width": 8, "multipliers": [1, 1], "blocks": 1, "codes": 16, "code_width": 4}
GENERATORS = (
    ("kl", dit, {"width": 16, "depth": 1, "heads": 2}, {}),
    (
        "vq",
        ldm,
        {"width": 32, "multipliers": [1], "attention": [True], "blocks": 1},
        {"side": 8},
    ),
)
NARROW = {"width": 8, "depth": 1, "decoder_width": 8, "decoder_depth": 1}


def a_moco(seed):
    torch.manual_seed(seed)
    return moco.build(**SIZES).eval()


def a_mage(seed, own):
    torch.manual_seed(seed)
    made = Mage(**NARROW, **HEADS, codes=16, side=8, representation=8)
    made.accompany(Tokenizer(**TOKENS), own)
    return made


def saved(path, content):
    torch.save({**content, "args": argparse.Namespace(lr=1.0), "epoch": 3}, path)
    return path


def test_an_encoder(tmp_path):
    own = a_moco(0)
    state = {f"module.base_encoder.{k}": v for k, v in own.state_dict().items()}
    state |= {f"module.momentum_encoder.{k}": v + 1 for k, v in own.state_dict().items()}
    file = saved(tmp_path / "vit.pth.tar", {"state_dict": state})
    found = encoder.published(file, {"heads": 2}, None)
    assert found.keys() == own.state_dict().keys()
    assert all(torch.equal(found[k], v) for k, v in own.state_dict().items())
    with pytest.raises(PenumbraError, match="no published network is 12 wide"):
        encoder.published(file, {}, None)


@pytest.mark.parametrize("kind", ["mage", "rdm"])
def test_parts_of_another_encoder_are_refused(tmp_path, kind):
    """Both encoders give eight numbers, so that nothing but their tensors tells them apart."""
    own, other = a_moco(0), a_moco(1)
    if kind == "mage":
        module, options, made = mage, HEADS, a_mage(0, own)
    else:
        module, options = rdm, {}
        made = Rdm(8, 16, 8, 2, 16, 8, encoder=own)
    file = saved(tmp_path / f"{kind}.pth", {"model": made.state_dict()})
    found = module.published(file, options, own)
    assert found.keys() == made.state_dict().keys()
    with pytest.raises(PenumbraError, match="the encoder inside it"):
        module.published(file, options, other)


def test_an_rdm_without_ema_is_refused(tmp_path):
    state = Rdm(8, 16, 8, 2, 16, 8).state_dict()
    raw = {k: v for k, v in state.items() if not k.startswith("model_ema.")}
    file = saved(tmp_path / "rdm.pth", {"model": raw})
    with pytest.raises(PenumbraError, match="model_ema"):
        rdm.published(file, {}, None)


def test_classes_of_a_published_rdm_are_as_many_as_it_is_told(tmp_path):
    made = Rdm(8, 16, 8, 2, 16, 8, classes=3, conditional=True)
    file = saved(tmp_path / "rdm.pth", {"model": made.state_dict()})
    rdm.check_classes(file, rdm.published(file, {}, None), ["a", "b", "c"])
    with pytest.raises(PenumbraError, match="told 3 classes, and its classes_file names 2"):
        rdm.check_classes(file, made.state_dict(), ["a", "b"])
    with pytest.raises(PenumbraError, match="told no classes"):
        rdm.check_classes(file, Rdm(8, 16, 8, 2, 16, 8).state_dict(), ["a"])


def test_a_first_stage_with_names_of_either_time(tmp_path):
    """Files of diffusers before 0.15, as Stable Diffusion's, name attention's layers otherwise."""
    options = {"width": 32, "multipliers": [1, 1], "blocks": 1}
    state = networks_autoencoder.build(Options.of(options)).state_dict()
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    old = dict(state)
    for new, before in names.items():
        old = {
            k.replace(f"attentions.0.{new}.", f"attentions.0.{before}."): v for k, v in old.items()
        }
    assert old.keys() != state.keys()
    for each in (state, old):
        save_file(each, tmp_path / "vae.safetensors")
        found = autoencoder.published(tmp_path / "vae.safetensors", options, None)
        assert found.keys() == state.keys()
        assert all(torch.equal(found[k], v) for k, v in state.items())
    with pytest.raises(PenumbraError, match="the weights do not fit"):
        autoencoder.published(tmp_path / "vae.safetensors", {}, None)


def test_what_is_trained_here_has_the_names_that_are_published():
    """The checkpoints of all parts go through the same constructors as published ones."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (12, 3, 16, 16), generator=generator, dtype=torch.uint8)
    labels = torch.arange(12) % 3
    how = {"epochs": 1, "batch_size": 4, "lr": 1e-3}

    def trained(module, options, settings=None, **uses):
        given = {"representations": None, "encoder": None, "tokenizer": None} | uses
        data = Data(pixels, labels, ["a", "b", "c"], steps=3, batch_size=4, **given)
        objective = module.objective(data, options, settings or {})
        fit(objective, how, 0, None, lambda _: None)
        return objective.artifacts()

    views = {"crop_scale": [0.5, 1.0], "flip": True, "brightness": 0.4, "contrast": 0.4, "blur": 1}
    contrast = {"temperature": 0.2, "momentum": 0.9, "momentum_schedule": "cosine"}
    of_encoder = trained(encoder, SIZES, {**contrast, "predictor": 16, "views": views})
    own = moco.MoCo.from_state(of_encoder, 2)
    with torch.inference_mode():
        z = own.represent(own.inputs(pixels)).clone()
    narrow = {"width": 16, "time": 8, "blocks": 2, "bottleneck": 16, "context": 8}
    of_rdm = trained(rdm, {**narrow, "conditional": True}, representations=z, encoder=own)
    assert Rdm.from_state(of_rdm).conditional
    codes = Tokenizer.from_state(trained(tokenizer, TOKENS))
    options = {**NARROW, **HEADS}
    of_mage = trained(mage, options, representations=z, encoder=own, tokenizer=codes)
    steps = {"steps": 2, "temperature": 1.0}
    images = mage.images(of_mage, options, steps, z[:3], [1, 2, 3], 2)
    assert images.shape == (3, 3, 16, 16)
    steps = {"steps": 2}
    for kind, module, options, decoding in GENERATORS:
        stage = {"latents": kind, "width": 32, "multipliers": [1, 1], "blocks": 1}
        first = networks_autoencoder.with_weights(stage, trained(autoencoder, stage))
        made = trained(module, options, representations=z, autoencoder=first)
        images = module.images(made, options, {**steps, **decoding}, z[:3], [1, 2, 3], 2)
        assert images.shape == (3, 3, 16, 16)
    pixel = {"image_size": 16, "width": 8, "multipliers": [1, 1], "attention": [False] * 2}
    images = ddpm.images(trained(ddpm, pixel), pixel, steps, torch.empty(3, 0), [1, 2, 3], 2)
    assert images.shape == (3, 3, 16, 16)
    for state in (of_rdm, of_mage):  # the encoder travels along, and is known again
        assert all(torch.equal(state[f"pretrained_encoder.{k}"], v) for k, v in of_encoder.items())
