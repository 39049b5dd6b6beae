"""Diffusion models learn real digits in a few steps: of pixels, and of latents."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.utils._python_dispatch import TorchDispatchMode

from penumbra.errors import PenumbraError
from penumbra.images.contrast import render
from penumbra.networks.generative import autoencoder, ddpm, dit, ldm, ldm_vq
from penumbra.networks.generative.ldm import Unet
from penumbra.options.parts import autoencoder as autoencoder_options
from penumbra.options.parts.ddpm import Options
from penumbra.training.objectives.autoencoder import AutoencoderObjective
from penumbra.training.objectives.ddpm import DdpmObjective
from penumbra.training.objectives.denoising import at, signed
from penumbra.training.objectives.dit import DitObjective
from penumbra.training.objectives.latents import Latents, latents
from penumbra.training.objectives.ldm import LdmObjective
from penumbra.training.parts import fit

FIRST = {"width": 32, "multipliers": (1, 1), "blocks": 1, "channels": 4, "codes": 32}
RECIPE = {"epochs": 3, "batch_size": 16, "lr": 4e-3}
R = 8


def digits(count):
    """Real digits as uint8 (n, 3, 8, 8)."""
    return torch.from_numpy(np.stack([render(grid, 8) for grid in load_digits().images[:count]]))


def first_stage(kind):
    torch.manual_seed(0)
    options = autoencoder_options.Options(**FIRST, latents=kind)
    return AutoencoderObjective(autoencoder.build(options), digits(96), options.scale, 1e-6)


def representations(count):
    return torch.randn(count, R, generator=torch.Generator().manual_seed(1))


def some_latents(count=96):
    draw = torch.Generator().manual_seed(2)
    return Latents(torch.randn(count, 4, 4, 4, generator=draw), torch.zeros(count, 4, 4, 4), 1.0)


def generator_objective(kind):
    torch.manual_seed(0)
    if kind == "ddpm":
        sizes = {"image_size": 8, "width": 16, "multipliers": (1, 2), "attention": (False, False)}
        return DdpmObjective(ddpm.build(Options(**sizes, blocks=1)), digits(96), True)
    made, given = some_latents(), representations(96)
    if kind == "ldm":
        unet = Unet(width=32, multipliers=(1,), attention=(True,), blocks=1, context=R)
        return LdmObjective(ldm.zeroed(unet), made, given, {"first_stage_model.x": given})
    network = dit.build(width=32, depth=2, heads=2, side=4, representation=R)
    return DitObjective(dit.initialised(network), made, given, {"first_stage.x": given})


@pytest.mark.parametrize("kind", ["kl", "vq"])
def test_a_first_stage_learns_to_reconstruct(kind):
    learner = first_stage(kind)
    history = fit(learner, RECIPE, 0, None, print)
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    model = autoencoder.with_weights({**FIRST, "latents": kind}, learner.artifacts())
    made = latents(model, digits(40), 16)
    drawn = made.drawn(torch.arange(40), torch.Generator().manual_seed(0))
    assert drawn.shape == (40, 4, 4, 4)
    assert drawn.std() == pytest.approx(1, abs=0.15)
    if kind == "vq":
        return
    x = signed(digits(40))
    with torch.no_grad():
        rebuilt = model.decode(made.mean).sample
    assert (rebuilt - x).square().mean() < 0.9 * x.var(0).mean()
    again = autoencoder.kl_from_state(learner.artifacts())
    assert again.config["block_out_channels"] == model.config["block_out_channels"]


@pytest.mark.parametrize("kind", ["ddpm", "ldm", "dit"])
def test_the_noise_is_estimated_better(kind):
    learner = generator_objective(kind)
    with torch.no_grad():
        first = learner.loss(torch.arange(96), torch.Generator().manual_seed(3))
    fit(learner, {**RECIPE, "epochs": 4}, 0, None, print)
    with torch.no_grad():
        last = learner.loss(torch.arange(96), torch.Generator().manual_seed(3))
    assert last < 0.9 * first
    own = learner.network.state_dict()
    averages = learner.averages()
    assert averages.keys() == {name for name, _ in learner.network.named_parameters()}
    assert any(not torch.equal(averages[name], own[name]) for name in averages)


class Doubles(TorchDispatchMode):
    """Names the operations that are given a tensor in double precision."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        if any(isinstance(each, torch.Tensor) and each.dtype == torch.float64 for each in args):
            self.seen.append(str(operation))
        return operation(*args, **kwargs or {})


@pytest.mark.parametrize("kind", ["ddpm", "ldm", "dit"])
def test_a_step_looks_up_tables_that_lie_ready(kind):
    """Those of the schedule are made in double precision on the CPU: once, not in each step."""
    learner = generator_objective(kind)
    with Doubles() as doubles:
        learner.loss(torch.arange(4), torch.Generator().manual_seed(3))
    assert doubles.seen == []


def test_an_initial_network_estimates_no_noise():
    """So that the first loss is the noise's own variance, 1; the DiT's bound comes on top."""
    for kind in ("ldm", "dit"):
        learner = generator_objective(kind)
        rows = torch.arange(16)
        with torch.no_grad():
            said = learner.predict(
                some_latents(16).mean, torch.full((16,), 500), rows, torch.Generator()
            )
        assert not said.any()


def test_the_bound_is_least_at_the_posteriors_variance():
    """With the mean exact and the variance the posterior's, both distributions are one."""
    learner = generator_objective("dit")
    draw = torch.Generator().manual_seed(4)
    x0, noise = torch.randn(2, 3, 4, 4, 4, generator=draw)
    t = torch.tensor([1, 400, 999])
    kept = at(learner.kept, t)
    z = kept.sqrt() * x0 + (1 - kept).sqrt() * noise

    def bound(place, error=0.0):
        return learner.bound(noise + error, torch.full_like(x0, place), x0, z, t).item()

    assert bound(-1.0) == pytest.approx(0, abs=1e-3)
    assert bound(1.0) > bound(-1.0)
    assert bound(-1.0, error=0.5) > bound(-1.0) + 0.01
    at_end = learner.bound(noise, torch.full_like(x0, -1.0), x0, z, torch.zeros_like(t))
    assert at_end.isfinite()


def test_names_of_a_first_stage_go_to_the_published_ones_and_back():
    model = first_stage("vq").module.model
    state = model.state_dict()
    published = ldm_vq.published(state)
    assert "decoder.up.1.upsample.conv.weight" in published
    assert published["encoder.mid.attn_1.q.weight"].ndim == 4
    again = ldm_vq.converted(published)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
    assert ldm_vq.from_state(published).state_dict().keys() == state.keys()


def test_training_stops_early_with_the_epoch_that_is_under_way():
    learner = generator_objective("dit")
    history = fit(learner, {**RECIPE, "epochs": 9, "stop_after": 7}, 0, None, print)
    assert len(history) == 2  # of six steps each
    with pytest.raises(PenumbraError, match="9 epochs of 6 batches are 54 steps"):
        fit(learner, {**RECIPE, "epochs": 9, "stop_after": 55}, 0, None, print)


def test_images_of_another_size_are_refused():
    with pytest.raises(PenumbraError, match=r"8×8 pixels, and its image_size is 16"):
        DdpmObjective(ddpm.build(Options(image_size=16, width=8)), digits(2), False)
    pixels = torch.zeros(2, 3, 9, 9, dtype=torch.uint8)
    with pytest.raises(PenumbraError, match="multiples of 2"):
        AutoencoderObjective(first_stage("kl").module.model, pixels, 2, 1e-6)


def test_mirrored_images():
    learner, rows = generator_objective("ddpm"), torch.arange(32)
    x = learner.clean(rows, torch.Generator().manual_seed(0))
    plain = signed(digits(32))
    same = (x == plain).flatten(1).all(1)
    turned = (x == plain.flip(3)).flatten(1).all(1)
    assert (same | turned).all()
    assert 4 < int(turned.sum()) < 28
