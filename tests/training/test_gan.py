"""The joint confidence loss: each of the three steps by an independent one, and its networks."""

import copy
import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F

from penumbra.networks.generative.dcgan import Discriminator, Generator
from penumbra.training.method import Batch
from penumbra.training.methods import gan
from tests.training.helpers import OPTIONS, digits, equal, network, setting, weights


def batch(count=6):
    pixels, labels = digits(count)
    return (torch.from_numpy(pixels) / 255 - 0.5) / 0.5, torch.from_numpy(labels)


@pytest.mark.parametrize("lowered", [False, True])
def test_the_discriminator_moves_first_and_the_generator_by_it_and_the_classifier(lowered):
    model = network()
    x, y = batch()
    run = dataclasses.replace(setting(model), lowered=lowered)
    made = gan.build(OPTIONS["gan"] | {"beta": 0.7, "size": 16}, run)
    mine, before = copy.deepcopy(made.networks), weights(model)
    adam = {
        name: torch.optim.Adam(each.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
        for name, each in mine.items()
    }
    real, fake, each = torch.ones(6), torch.zeros(6), F.binary_cross_entropy_with_logits
    for step in range(2):
        given, _ = made.inputs(x, y, Batch(0, step, step))
        seed = gan.derive(0, "latents", step)
        latents = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(seed))
        with run.autocast():
            images = mine["generator"](latents[0])
        with run.autocast():
            told = mine["discriminator"](x * 0.5 + 0.5), mine["discriminator"](images.detach())
        (each(told[0], real) + each(told[1], fake)).backward()
        adam["discriminator"].step()
        mine.zero_grad()
        with run.autocast():
            logits = model.eval()((images - 0.5) / 0.5).float()
            doubted = mine["discriminator"](images)
        (each(doubted, real) - 0.7 * logits.log_softmax(1).mean()).backward()
        adam["generator"].step()
        mine.zero_grad()
        model.zero_grad()
        model.train()
        with torch.no_grad(), run.autocast():
            shown = (mine["generator"](latents[1]) - 0.5) / 0.5
    for name, tensor in mine.state_dict().items():
        torch.testing.assert_close(tensor, made.networks.state_dict()[name], msg=name)
    assert equal(weights(model), before)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    torch.testing.assert_close(given, torch.cat([x, shown]))
    logits = torch.randn(12, 10)
    wanted = F.cross_entropy(logits[:6], y) - 0.7 * logits[6:].log_softmax(1).mean()
    torch.testing.assert_close(made.loss(logits, y), wanted)
    record = made.record()
    assert record.keys() == {"discriminator", "generator"}
    assert 0.5 < record["discriminator"] < 3


def test_adams_rate_falls_at_its_milestones():
    made = gan.build(OPTIONS["gan"], setting(network(), epochs=10))
    rates = []
    for epoch in (0, 5, 6, 9):
        made.inputs(*batch(), Batch(epoch, 0, epoch))
        rates.append(made.optimisers["generator"].rate)
    assert rates == pytest.approx([2e-4, 2e-4, 2e-5, 2e-5])


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_networks_are_of_the_published_sizes(size):
    layers = math.log2(size / 4)
    generator, discriminator = Generator(7, 4, size, 40), Discriminator(4, size)
    made = generator(torch.randn(3, 7))
    assert made.shape == (3, 3, size, size)
    assert 0 < made.min() < made.max() < 1
    assert discriminator(made).shape == (3,)
    first = next(generator.parameters())
    assert first.shape == (7, 4 * 2 ** (layers - 1), 4, 4)
    assert first.std().item() == pytest.approx(0.02, rel=0.1)
    wanted = F.interpolate(made, 40, mode="bilinear", align_corners=False)
    torch.testing.assert_close(generator.enlarged(made), wanted, atol=1e-5, rtol=1e-5)
    assert discriminator.seen(torch.rand(2, 3, 40, 40)).shape == (2, 3, size, size)


def test_generated_images_have_the_size_of_the_training_images():
    large = dataclasses.replace(setting(network()), shape=(3, 24, 24))
    made = gan.build(OPTIONS["gan"], large)
    given, _ = made.inputs(torch.rand(4, 3, 24, 24), torch.arange(4), Batch(0, 0, 0))
    assert given.shape == (8, 3, 24, 24)
