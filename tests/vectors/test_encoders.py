"""Conformance of MoCo-v3, position embeddings, DiT and LDM; all sizes come from the files."""

import re

import pytest
import torch
from diffusers.schedulers import scheduling_ddpm

from penumbra.networks.generative.dit import DiT
from penumbra.networks.generative.ldm import Unet
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.layers.positions import grid
from penumbra.networks.loading import official
from penumbra.outliers.generators import of_dit, trajectory
from tests.vectors.cases import cases


def check_encoder(case, model):
    x = model.inputs(case.inputs["image_uint8"])
    features = model.features(x)
    if "preprocessed_sample0" in case.wanted:
        case.check("preprocessed_sample0", x[:1])
    case.check("features", features)
    case.check("projection", model.project(features))
    case.check("representation", model.represent(x))


def check_in_double(case, model):
    x = case.inputs["preprocessed_float64_sample0"]
    model = model.double()
    features = model.features(x)
    case.check("features_float64", features)
    case.check("projection_float64", model.project(features))
    case.check("representation_float64", model.represent(x))


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True])
def test_moco(request, training):
    """The query encoder of the container; BN's statistics stand still even in train mode."""
    for case in cases(request, "moco_*"):
        state = case.checkpoint(case.name, "moco")
        assert not case.weights or official.fingerprint(state) == official.fingerprint(case.weights)
        for weights in filter(None, (state, case.weights)):
            model = MoCo.from_state(weights, heads=case.config["heads"]).train(training)
            check_encoder(case, model)
            if any(name.endswith("_float64") for name in case.wanted):
                check_in_double(case, model)


def test_position_embeddings(request):
    for case in cases(request, "pos_embed*"):
        for name in case.wanted:
            kind, width, size = re.fullmatch(r"(\w+)_pos_embed_(\d+)_(\w+)", name).groups()
            if size == "nonsquare":
                side = tuple(pixels // 16 for pixels in case.config["nonsquare_img_size"])
            else:
                side = int(size) // 16 if kind == "moco" else int(size)
            first = "row" if kind == "moco" else "column"
            case.check(name, grid(side, int(width), first, class_token=kind != "dit"))


@torch.no_grad()
def test_dit(request, monkeypatch):
    for case in cases(request, "dit*"):
        model = DiT.from_state(case.weights, heads=case.config["num_heads"])
        # float32 does not show a wrong epsilon.
        norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
        assert {norm.eps for norm in norms} == {case.config["eps"]}
        x, t, z = (case.inputs[key] for key in ("x", "t", "rep"))
        case.check("out", model(x, t, z))
        check_guidance(case, model, x, t, z)
        check_sampling(case, model, z, monkeypatch)


def check_guidance(case, model, x, t, z):
    """The published output is (conditional; unconditional) halves, both with guided noise."""
    for name in (name for name in case.wanted if name.startswith("out_cfg")):
        found = model.guided(x, t, z, float(name.removeprefix("out_cfg").replace("p", ".")))
        free = model(x, t, model.fake_latent.expand(len(x), -1))
        case.check(name, torch.cat([found, torch.cat([found[:, :3], free[:, 3:]], 1)]))


def check_sampling(case, model, z, monkeypatch):
    noise = iter(case.inputs["noise"])
    # The recorded noise in place of drawn noise; all else is the code that samples.
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, **__: next(noise))
    diffusion = of_dit(model, autoencoder=None, steps=case.config["sampling"]["steps"])
    kept = case.config["sampling"]["timesteps_kept"]
    assert sorted(diffusion.scheduler.timesteps.tolist()) == kept
    outputs = list(trajectory(diffusion, z, case.inputs["x_T"], []))
    case.check("samples", torch.stack([output.prev_sample for output in outputs]))
    case.check("pred_x0", torch.stack([output.pred_original_sample for output in outputs]))


@torch.no_grad()
def test_ldm_unet(request):
    for case in cases(request, "ldm_unet*"):
        model = Unet.from_state(case.weights, head_width=case.config["num_head_channels"])
        case.check("eps", model(*(case.inputs[key] for key in ("x", "t", "context"))))
