"""SONA: inversion, the region of a class, guidance in and out of it."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from penumbra.errors import PenumbraError
from penumbra.networks.generative.stable_diffusion import StableDiffusion, read
from penumbra.options.kinds.sona import Decoding, Guidance
from penumbra.outliers.generators import to_uint8
from penumbra.outliers.inversion import Move, grid
from penumbra.outliers.semantic_guidance import Task, edited, guided, region, start_of
from tests.diffusion import small_stable_diffusion

EARLY = {"steps": 8, "semantic_warmup": 1, "nuisance_warmup": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return StableDiffusion(read(small_stable_diffusion(tmp_path_factory.mktemp("diffusion"))))


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), np.uint8)


def tasks(other="a photo of b"):
    return [Task("a photo of a", other, seed) for seed in range(6)]


def test_steps_are_ddims(model):
    """η = 1, whose own noise is added by whoever moves."""
    places = grid(model.schedule, 8)
    scheduler = DDIMScheduler.from_config({**model.schedule, "clip_sample": False})
    scheduler.set_timesteps(8)
    x, noise, own = torch.randn(3, 2, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    for index, step in enumerate(places.steps):
        move = Move(places.alphas[index], places.following[index])
        theirs = scheduler.step(noise, step, x, eta=1.0, variance_noise=own).prev_sample
        torch.testing.assert_close(
            move.mean(x, noise) + move.deviation * own, theirs, atol=1e-4, rtol=1e-4
        )


def test_without_guidance_images_come_back(model, pixels):
    """Whatever the step that they begin at: of each, what the autoencoder makes of it."""
    how = Decoding(size=None, guidance=Guidance(**EARLY, scale=0.0))
    made = edited(model, pixels, tasks(), how)
    with torch.no_grad():
        clean = model.encode(torch.from_numpy(pixels).float() / 127.5 - 1)
        expected = to_uint8(model.decode(clean)).numpy()
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_guidance_changes_every_image_by_its_own_task_alone(model, pixels):
    how = Decoding(size=16, guidance=Guidance(**EARLY))
    whole = edited(model, pixels, tasks(), how).astype(int)
    assert whole.shape == (6, 3, 16, 16)
    plain = edited(model, pixels, tasks(), Decoding(size=16, guidance=Guidance(**EARLY, scale=0)))
    assert (np.abs(whole - plain).max((1, 2, 3)) > 1).all()
    other = edited(model, pixels[:1], tasks("a photo of c")[:1], how).astype(int)
    assert np.abs(other - whole[:1]).max() > 1
    some = edited(model, pixels[2:4], tasks()[2:4], how).astype(int)
    assert np.abs(some - whole[2:4]).max() <= 2


def test_starts_are_spread_over_the_grid():
    starts = [start_of(seed, 8) for seed in range(400)]
    assert {*starts} == {*range(8)}
    assert abs(np.mean(starts) - 3.5) < 0.5


def test_the_region_is_the_largest_tenth_of_each_channel():
    delta = torch.randn(2, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    mask = region(delta, 0.9)
    assert (mask.flatten(2).sum(2) == 10).all()
    assert not mask[delta.abs() < 0.5].any()


def test_the_class_is_added_without_and_replaced_within():
    how = Guidance(steps=8, scale=10, semantic_warmup=1, nuisance_warmup=2, momentum=0.5, beta=0.75)
    own, other = torch.full((1, 1, 1, 2), 1.0), torch.full((1, 1, 1, 2), 3.0)
    mask, none = torch.tensor([[[[True, False]]]]), torch.zeros(1, 1, 1, 2)
    gamma = {step: guided(own, other, mask, none, step, how)[0].flatten() for step in (0, 1, 2)}
    assert gamma[0].tolist() == [0, 0]
    assert gamma[1].tolist() == [20, 0]
    assert gamma[2].tolist() == [20, 10]
    gamma, momentum = guided(own, other, mask, torch.full((1, 1, 1, 2), 4.0), 2, how)
    assert gamma.flatten().tolist() == [22, 12]
    assert momentum.flatten().tolist() == [0.75 * 4 + 0.25 * 22, 0.75 * 4 + 0.25 * 12]


def test_a_network_that_estimates_no_noise_is_refused(model):
    with pytest.raises(PenumbraError, match="estimates v_prediction, and inversion needs"):
        grid({**model.schedule, "prediction_type": "v_prediction"}, 8)
