"""Images by DiT and LDM: draws that belong to samples, steps as published, bad input."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vq_model import VQModel

from penumbra.errors import PenumbraError
from penumbra.networks.generative import ddpm, dit
from penumbra.networks.generative.ldm import Unet
from penumbra.options.parts.ddpm import Options
from penumbra.outliers.generators import images, of_ddpm, of_dit, of_ldm, to_uint8

R = 6
BLOCKS = {
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
    "block_out_channels": (32, 32),
    "latent_channels": 4,
}


def randomised(network):
    """Weights that are not zero anywhere, so that every input counts."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=draw) * 0.05)
    return network.eval()


def autoencoder():
    torch.manual_seed(0)
    return AutoencoderKL(**BLOCKS).eval()


def dit_network():
    torch.manual_seed(0)
    return randomised(dit.build(width=32, depth=2, heads=2, side=8, representation=R))


def unet():
    torch.manual_seed(0)
    sizes = {"width": 32, "multipliers": (1, 2), "blocks": 1, "attention": (False, True)}
    return randomised(Unet(**sizes, context=R))


def pixels_network():
    torch.manual_seed(0)
    sizes = {"image_size": 16, "width": 8, "multipliers": (1, 2), "attention": (False, True)}
    return randomised(ddpm.build(Options(**sizes, blocks=1)))


@pytest.fixture(scope="module")
def diffusions():
    torch.manual_seed(0)
    vq = VQModel(**BLOCKS, num_vq_embeddings=16).eval()
    return {
        "DiT": of_dit(dit_network(), autoencoder(), steps=4),
        "guided DiT": of_dit(dit_network(), autoencoder(), steps=4, guidance=3.0),
        "LDM": of_ldm(unet(), vq, side=8, steps=4),
        "DDPM": of_ddpm(pixels_network(), steps=4),
    }


def representations(n=5):
    return torch.randn(n, R, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize("name", ["DiT", "guided DiT", "LDM"])
def test_an_image_depends_on_its_own_seed_and_representation(diffusions, name):
    one, z = diffusions[name], representations()
    whole = images(one, z, [1, 2, 3, 4, 5], batch_size=5)
    assert whole.shape == (5, 3, 16, 16)
    assert whole.dtype == torch.uint8
    assert whole.float().std() > 1
    parts = images(one, z[[3, 1, 4]], [4, 2, 5], batch_size=2)
    # Sums of another batch size may differ in the last bit, and cutting off may show it.
    difference = (parts.int() - whole[[3, 1, 4]].int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.01
    other_seeds, other_z = images(one, z, [9, 2, 3, 4, 5], 5), images(one, z.roll(1, 0), [1] * 5, 5)
    assert not torch.equal(other_seeds[0], whole[0])
    assert torch.equal(other_seeds[1:], whole[1:])
    assert not torch.equal(other_z[1], other_z[2])


def test_pixels_depend_on_the_seed_alone(diffusions):
    one = diffusions["DDPM"]
    whole = images(one, torch.empty(4, 0), [1, 2, 3, 4], batch_size=4)
    assert whole.shape == (4, 3, 16, 16)
    assert whole.float().std() > 1
    parts = images(one, torch.empty(3, 0), [4, 2, 9], batch_size=2)
    assert (parts[:2].int() - whole[[3, 1]].int()).abs().max() <= 1
    assert not torch.equal(parts[2], whole[2])


def test_lowered_networks_differ_a_little(diffusions):
    one, z = diffusions["DiT"], representations(2)
    full, low = (images(replace(one, lowered=low), z, [1, 2], 2) for low in (False, True))
    assert 0 < (full.float() - low.float()).abs().mean() < 8


def test_latents_of_another_size(diffusions):
    """The factor between the network's latents and the first stage's."""
    latent = torch.randn(2, 4, 8, 8)
    own, other = of_dit(dit_network(), autoencoder(), steps=4, scale=2.0), diffusions["DiT"]
    with torch.no_grad():
        torch.testing.assert_close(own.decode(2 * latent), other.decode(latent * 0.18215))


def test_guidance_moves_images(diffusions):
    z = representations(3)
    plain, guided = (images(diffusions[name], z, [1, 2, 3], 3) for name in ("DiT", "guided DiT"))
    assert not torch.equal(plain, guided)


def test_guidance_mixes_the_first_three_channels_of_the_noise():
    network, z = dit_network(), representations(2)
    x, t = torch.randn(2, 4, 8, 8), torch.tensor([3, 700])
    with torch.no_grad():
        conditional = network(x, t, z)
        free = network(x, t, network.fake_latent.expand(2, -1))
        found = network.guided(x, t, z, 2.5)
    wanted = free[:, :3] + 2.5 * (conditional[:, :3] - free[:, :3])
    torch.testing.assert_close(found[:, :3], wanted)
    torch.testing.assert_close(found[:, 3:], conditional[:, 3:])


def test_ldm_steps_are_the_published_ddim():
    """Time steps 1, 1 + c, …; the last ends at index 0's noise, and noise is added there, too."""
    one = of_ldm(unet(), None, steps=200)
    betas = torch.linspace(0.0015**0.5, 0.0195**0.5, 1000, dtype=torch.float64) ** 2
    alphas = (1 - betas).cumprod(0)
    assert one.scheduler.timesteps.tolist() == list(range(996, 0, -5))
    draw = torch.Generator().manual_seed(2)
    x, eps, noise = torch.randn(3, 2, 4, 8, 8, generator=draw).double()
    for t in (996, 501, 6, 1):
        a, before = alphas[t].item(), alphas[max(t - 5, 0)].item()
        sigma = math.sqrt((1 - before) / (1 - a) * (1 - a / before))
        clean = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
        direction = math.sqrt(max(1 - before - sigma**2, 0)) * eps
        wanted = math.sqrt(before) * clean + direction + sigma * noise
        step = one.scheduler.step(eps, t, x, variance_noise=noise, **one.options)
        torch.testing.assert_close(step.prev_sample, wanted, rtol=1e-3, atol=1e-3)


def test_dit_takes_250_steps_from_999_to_0():
    steps = of_dit(dit_network(), None).scheduler.timesteps.tolist()
    assert (len(steps), steps[0], steps[-1]) == (250, 999, 0)
    assert {a - b for a, b in pairwise(steps)} == {4, 5}


def test_conversion_cuts_off():
    x = torch.tensor([-3.0, -1.0, 0.0, 0.999, 1.0, 7.0])
    assert to_uint8(x).tolist() == [0, 0, 127, 254, 255, 255]


def test_bad_input(diffusions):
    z = representations(3)
    with pytest.raises(PenumbraError, match="3 representations and 2 seeds"):
        images(diffusions["DiT"], z, [1, 2], 2)
    with pytest.raises(PenumbraError, match=r"LDM: conditioned on 6 numbers.*have 5"):
        images(diffusions["LDM"], z[:, :5], [1, 2, 3], 2)
    z[1, 2] = math.nan
    with pytest.raises(PenumbraError, match="latents of image 1 are not finite"):
        images(diffusions["DiT"], z, [1, 2, 3], 1)
    with pytest.raises(PenumbraError, match="LDM: 300 steps"):
        of_ldm(unet(), None, steps=300)
    with pytest.raises(PenumbraError, match="DiT: 1001 steps"):
        of_dit(dit_network(), None, steps=1001)
