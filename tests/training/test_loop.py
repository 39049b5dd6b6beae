"""The loop: resuming, refusing NaN, its schedule and its augmentation."""

import pytest
import torch
from torch import nn

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.networks.layers.heads import GodinHead
from penumbra.training.resume import Resume
from penumbra.training.schedule import learning_rate
from penumbra.training.sgd import Sgd
from tests.training.helpers import CPU, HALF, RECIPE, digits, equal, network, trainer, weights


def test_same_seed_same_weights():
    first, second, other = trainer(), trainer(), trainer(seed=1)
    for run in (first, second, other):
        run.run(None, lambda _: None)
    assert equal(weights(first.model), weights(second.model))
    assert not equal(weights(first.model), weights(other.model))


def test_training_learns():
    run = trainer(epochs=12, count=200, batch_size=20)
    history = run.run(None, lambda _: None)
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    assert history[-1]["accuracy"] > 0.6


def test_a_last_batch_of_one_image_is_left_out():
    """Batch norm has no variance of it where maps are one pixel; one of two images stays."""
    for count, batches in ((41, 5), (42, 6), (40, 5)):
        made = trainer(count=count)
        assert made.extent.batches == batches
        assert 0 <= made.epoch(0)["accuracy"] <= 1


def test_nan_loss_names_epoch_step_recipe_and_saves_nothing(tmp_path):
    run = trainer(lr=1e20, epochs=3)
    resume = Resume(tmp_path, "run")
    resume.write(run.state(), [])
    saved = resume.path.read_bytes()
    with pytest.raises(
        PenumbraError, match=r"epoch 1, step \d of 6, recipe test; try a smaller lr"
    ):
        run.run(resume, lambda _: None)
    assert resume.path.read_bytes() == saved


def test_resume_keeps_momentum(tmp_path):
    first, second = trainer(epochs=2), trainer(epochs=2)
    first.epoch(0)
    resume = Resume(tmp_path, "run")
    resume.write(first.state(), [{}])
    second.restore(resume.read(lambda _: None)[0])
    pairs = zip(first.optimiser.momentum, second.optimiser.momentum, strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    resume.discard()
    assert not resume.path.exists()


def test_momentum_comes_back_in_its_layout(tmp_path):
    """The fused update reads weights and momentum as they lie in memory."""
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimiser, resume = Sgd(layer, RECIPE), Resume(tmp_path, "run")

    def step():
        for parameter in layer.parameters():
            parameter.grad = parameter.detach().sin()
        optimiser.step()

    step()
    resume.write({**layer.state_dict(), **optimiser.state()}, [])
    step()
    wanted = weights(layer)
    saved, _ = resume.read(lambda _: None)
    layer.load_state_dict({name: saved.pop(name) for name in wanted})
    optimiser.restore(saved)
    step()
    assert equal(weights(layer), wanted)


@pytest.mark.parametrize(
    ("epoch", "rate"), [(0, 0.1), (99, 0.1), (100, 0.01), (149, 0.01), (150, 1e-3), (180, 1e-4)]
)
def test_multistep_of_the_paper(epoch, rate):
    schedule = {"kind": "multistep", "milestones": [0.5, 0.75, 0.9], "gamma": 0.1}
    assert learning_rate(schedule, 0.1, epoch, 200) == pytest.approx(rate)


def test_cosine_falls_from_lr_to_nearly_zero():
    rates = [learning_rate({"kind": "cosine"}, 0.1, e, 10) for e in range(10)]
    assert rates[0] == 0.1
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.01


def test_no_augmentation_is_plain_normalisation():
    pixels, labels = digits(5)
    feeder = Feeder(pixels, labels, HALF, False, 0, False, CPU)
    x, y = feeder.batch(torch.arange(5), torch.Generator())
    assert torch.allclose(x, (torch.from_numpy(pixels) / 255 - 0.5) / 0.5, atol=1e-6)
    assert torch.equal(y, torch.from_numpy(labels))


def test_every_crop_is_a_window_of_the_padded_image_or_its_mirror():
    pixels, labels = digits(6)
    feeder = Feeder(pixels, labels, HALF, True, 2, True, CPU)
    x, _ = feeder.batch(torch.arange(6), torch.Generator().manual_seed(1))
    assert x.is_contiguous(memory_format=torch.channels_last)
    u8 = ((x + 1) * 127.5).round().to(torch.uint8)
    mirrored = 0
    for image, crop in zip(torch.from_numpy(pixels), u8, strict=True):
        found = []
        for flipped in (False, True):
            padded = torch.nn.functional.pad(image.flip(2) if flipped else image, (2, 2, 2, 2))
            windows = (padded[:, i : i + 16, j : j + 16] for i in range(5) for j in range(5))
            found.append(any(torch.equal(window, crop) for window in windows))
        assert any(found)
        mirrored += found[1] and not found[0]
    assert 0 < mirrored < 6


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_torchs(nesterov):
    """Bit for bit what torch.optim.SGD does."""
    recipe = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": nesterov}
    ours, theirs = network(), network()
    mine = Sgd(ours, recipe)
    reference = torch.optim.SGD(theirs.parameters(), **recipe, fused=True)
    x, y = torch.rand(4, 3, 16, 16), torch.arange(4)
    for rate in (0.1, 0.1, 0.01):
        mine.rate = reference.param_groups[0]["lr"] = rate
        for model, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    assert equal(weights(ours), weights(theirs))


def test_layers_may_take_a_share_of_the_rate():
    """As a group of torch.optim.SGD with a rate of its own."""
    recipe = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-2, "nesterov": True}
    ours, theirs = (nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    ours[1].share_of_rate = 0.1
    groups = [{"params": theirs[0].parameters()}, {"params": theirs[1].parameters(), "lr": 0.01}]
    mine, reference = Sgd(ours, recipe), torch.optim.SGD(groups, **recipe, fused=True)
    x, y = torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])
    for _ in range(3):
        for model, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    for name, tensor in weights(ours).items():
        torch.testing.assert_close(tensor, theirs.state_dict()[name])


def test_a_heads_undecayed_weights_do_not_decay():
    """Generalized ODIN's h; its divisor and the trunk decay as under torch.optim.SGD."""
    recipe = {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-1, "nesterov": False}
    ours, theirs = (nn.Sequential(nn.Linear(4, 6), GodinHead(6, 3)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    head = theirs[1].weight
    rest = [p for p in theirs.parameters() if p is not head]
    groups = [{"params": rest}, {"params": [head], "weight_decay": 0.0}]
    mine, reference = Sgd(ours, recipe), torch.optim.SGD(groups, **recipe, fused=True)
    x, y = torch.rand(5, 4), torch.tensor([0, 1, 2, 0, 1])
    for _ in range(3):
        for model, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    assert equal(weights(ours), weights(theirs))
