"""Conformance of MoCo-v3, position embeddings, DiT and LDM; all sizes come from the files."""

import json
import re

import pytest
import torch
from diffusers.schedulers import scheduling_ddpm
from safetensors.torch import load_file

from penumbra.networks import official
from penumbra.networks.dit import DiT
from penumbra.networks.ldm import Unet
from penumbra.networks.moco import MoCo
from penumbra.networks.positions import grid
from penumbra.outliers.generators import of_dit, trajectory


@pytest.fixture(scope="session")
def folder(request):
    path = request.config.getoption("--vectors") / "networks"
    if not path.is_dir():
        pytest.skip(f"no conformance vectors in {path}; name their folder with --vectors")
    return path


class Case:
    """One vector file; it counts which of its outputs were checked."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.side = json.loads((folder / f"{name}.json").read_text())
        tensors = load_file(folder / f"{name}.safetensors")
        parts = {}
        for key, value in tensors.items():
            kind, _, rest = key.partition("/")
            parts.setdefault(kind, {})[rest] = value
        self.weights, self.given, self.wanted = (parts.get(k, {}) for k in ("w", "in", "out"))
        self.config, self.checked = self.side["config"], set()

    def check(self, name, found):
        rule = self.side["tolerance"][name]
        assert found.dtype == getattr(torch, rule["dtype_to_run"].split(",")[0])
        torch.testing.assert_close(found, self.wanted[name], rtol=rule["rtol"], atol=rule["atol"])
        self.checked.add(name)

    def done(self):
        assert self.checked == set(self.wanted)


def cases(folder, pattern):
    found = [Case(folder, path.stem) for path in sorted(folder.glob(f"{pattern}.safetensors"))]
    if not found:
        pytest.skip(f"this set of vectors has no {pattern}")
    return found


def check_encoder(case, model):
    x = model.inputs(case.given["image_uint8"])
    features = model.features(x)
    if "preprocessed_sample0" in case.wanted:
        case.check("preprocessed_sample0", x[:1])
    case.check("features", features)
    case.check("projection", model.project(features))
    case.check("representation", model.represent(x))


def check_in_double(case, model):
    x = case.given["preprocessed_float64_sample0"]
    model = model.double()
    features = model.features(x)
    case.check("features_float64", features)
    case.check("projection_float64", model.project(features))
    case.check("representation_float64", model.represent(x))


@torch.no_grad()
@pytest.mark.parametrize("training", [False, True])
def test_moco(folder, training):
    """The query encoder of the container; BN's statistics stand still even in train mode."""
    for case in cases(folder, "moco_*"):
        state = official.read(folder / f"{case.name}_checkpoint.pth.tar", "moco")
        assert not case.weights or official.fingerprint(state) == official.fingerprint(case.weights)
        for weights in filter(None, (state, case.weights)):
            model = MoCo.from_state(weights, heads=case.config["heads"]).train(training)
            check_encoder(case, model)
            if any(name.endswith("_float64") for name in case.wanted):
                check_in_double(case, model)
        case.done()


def test_position_embeddings(folder):
    for case in cases(folder, "pos_embed*"):
        for name, wanted in case.wanted.items():
            kind, width, size = re.fullmatch(r"(\w+)_pos_embed_(\d+)_(\w+)", name).groups()
            if size == "nonsquare":
                side = tuple(pixels // 16 for pixels in case.config["nonsquare_img_size"])
            else:
                side = int(size) // 16 if kind == "moco" else int(size)
            first = "row" if kind == "moco" else "column"
            case.check(name, grid(side, int(width), first, class_token=kind != "dit"))
            assert wanted.shape[1] == len(wanted[0])
        case.done()


@torch.no_grad()
def test_dit(folder, monkeypatch):
    for case in cases(folder, "dit*"):
        model = DiT.from_state(case.weights, heads=case.config["num_heads"])
        # float32 does not show a wrong epsilon.
        norms = [module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)]
        assert {norm.eps for norm in norms} == {case.config["eps"]}
        x, t, z = (case.given[key] for key in ("x", "t", "rep"))
        case.check("out", model(x, t, z))
        check_guidance(case, model, x, t, z)
        check_sampling(case, model, z, monkeypatch)
        case.done()


def check_guidance(case, model, x, t, z):
    """The published output is (conditional; unconditional) halves, both with guided noise."""
    for name in (name for name in case.wanted if name.startswith("out_cfg")):
        found = model.guided(x, t, z, float(name.removeprefix("out_cfg").replace("p", ".")))
        free = model(x, t, model.fake_latent.expand(len(x), -1))
        case.check(name, torch.cat([found, torch.cat([found[:, :3], free[:, 3:]], 1)]))


def check_sampling(case, model, z, monkeypatch):
    noise = iter(case.given["noise"])
    # The recorded noise in place of drawn noise; all else is the code that samples.
    monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, **__: next(noise))
    diffusion = of_dit(model, first_stage=None, steps=case.config["sampling"]["steps"])
    kept = case.config["sampling"]["timesteps_kept"]
    assert sorted(diffusion.scheduler.timesteps.tolist()) == kept
    outputs = list(trajectory(diffusion, z, case.given["x_T"], []))
    case.check("samples", torch.stack([output.prev_sample for output in outputs]))
    case.check("pred_x0", torch.stack([output.pred_original_sample for output in outputs]))


@torch.no_grad()
def test_ldm_unet(folder):
    for case in cases(folder, "ldm_unet*"):
        model = Unet.from_state(case.weights, head_width=case.config["num_head_channels"])
        case.check("eps", model(*(case.given[key] for key in ("x", "t", "context"))))
        case.done()
