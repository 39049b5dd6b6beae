"""MoCo-v3's training on real digits, its loss and its momentum, and the views it draws."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from penumbra.errors import PenumbraError
from penumbra.images.contrast import render
from penumbra.networks.generative import moco
from penumbra.networks.generative.moco import MoCo
from penumbra.training.objectives.contrastive import ContrastiveObjective
from penumbra.training.parts import fit
from penumbra.training.resume import Resume
from penumbra.training.views import Views

VIEWS = {
    "crop_scale": (0.5, 1.0), "flip": False, "brightness": 0.2, "contrast": 0.2, "blur": 0.0,
}  # fmt: skip
OPTIONS = {
    "temperature": 0.1, "momentum": 0.9, "momentum_schedule": "cosine", "predictor": 128,
    "views": VIEWS,
}  # fmt: skip
RECIPE = {
    "epochs": 10, "batch_size": 32, "lr": 4e-3, "weight_decay": 0.1, "betas": [0.9, 0.999],
    "warmup_epochs": 1, "schedule": "cosine", "clip": None, "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def digits():
    """1,000 digits as uint8 (N, 3, 32, 32), and their classes."""
    bunch = load_digits()
    pixels = np.stack([render(image, 32) for image in bunch.images[:1000]])
    return torch.from_numpy(pixels), bunch.target[:1000]


def encoder(width=32):
    torch.manual_seed(0)
    sizes = {"patch": 8, "image_size": 32, "projector": 128, "representation": 64}
    return moco.build(width=width, depth=1, heads=2, **sizes)


def objective(pixels, steps=100, width=16, **changes):
    return ContrastiveObjective(pixels, encoder(width), OPTIONS | changes, steps)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def say_nothing(_):
    pass


@torch.no_grad()
def neighbours_accuracy(model, pixels, classes, known):
    z = model.eval().represent(model.inputs(pixels)).numpy()
    knn = KNeighborsClassifier(5).fit(z[:known], classes[:known])
    return knn.score(z[known:], classes[known:])


def test_representations_tell_digits_apart(digits):
    """Chance is 10 %; an untrained encoder, a random projection of pixels, has about half right."""
    pixels, classes = digits
    untrained = neighbours_accuracy(encoder(), pixels, classes, 700)
    steps = RECIPE["epochs"] * (700 // RECIPE["batch_size"])
    one = objective(pixels[:700], steps, width=32)
    history = fit(one, RECIPE, 0, None, say_nothing)
    assert history[-1]["loss"] < 0.65 * history[0]["loss"]
    trained = MoCo.from_state(one.artifacts(), heads=2)
    found = neighbours_accuracy(trained, pixels, classes, 700)
    assert found > 0.65
    assert found > untrained + 0.08


def test_loss_is_infonce_both_ways(digits):
    """-log of the share of the own pair among all, twice the temperature, summed over both ways."""
    one = objective(digits[0][:8])
    q, k = torch.randn(2, 6, 5, generator=generator())
    a, b = (x / x.norm(dim=1, keepdim=True) for x in (q, k))
    shares = ((a @ b.T) / 0.1).exp()
    wanted = -(shares.diagonal() / shares.sum(1)).log().mean() * 0.2
    assert torch.allclose(one._contrast(q, k), wanted)
    # Whoever looks from either side, two equal views make two equal halves.
    one.module.eval()
    one.views = lambda pixels, *_: pixels / 255
    with torch.no_grad():
        x = moco.normalised(digits[0][:8] / 255)
        half = one._contrast(one.module(x), one.module.momentum_encoder(x))
        assert torch.allclose(one.loss(torch.arange(8), generator()), 2 * half)


def test_draws_come_from_the_generator(digits):
    one = objective(digits[0][:32])
    rows = torch.arange(32)
    losses = [one.loss(rows, generator(seed)).item() for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(("schedule", "last"), [("cosine", 1.0), ("constant", 0.9)])
def test_copy_follows_with_momentum(digits, schedule, last):
    one = objective(digits[0][:32], steps=4, momentum_schedule=schedule)
    found = []
    for _ in range(5):
        before = one.module.momentum_encoder.norm.bias.clone()
        with torch.no_grad():
            one.module.base_encoder.norm.bias += 1
        one.after()
        gap = one.module.base_encoder.norm.bias - before
        found.append(1 - ((one.module.momentum_encoder.norm.bias - before) / gap).mean().item())
    assert found[0] == pytest.approx(0.9, abs=1e-5)
    assert found[-1] == pytest.approx(last, abs=1e-5)
    assert found == sorted(found) if schedule == "cosine" else np.ptp(found) < 1e-5
    assert one.module.step == 5


def test_patches_and_copy_take_no_gradient(digits):
    one = objective(digits[0][:32])
    one.loss(torch.arange(32), generator()).backward()
    lacking = {name for name, p in one.module.named_parameters() if p.grad is None}
    frozen = {"pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"}
    copied = {name for name, _ in one.module.momentum_encoder.named_parameters()}
    assert lacking == {f"base_encoder.{n}" for n in frozen} | {
        f"momentum_encoder.{n}" for n in copied
    }


def test_artifacts_are_the_encoder_under_official_names(digits):
    one = objective(digits[0][:64])
    fit(one, RECIPE | {"epochs": 2}, 0, None, say_nothing)
    state = one.artifacts()
    assert state.keys() == encoder(16).state_dict().keys()
    loaded = MoCo.from_state(state, heads=2)
    x = loaded.inputs(digits[0][:5])
    assert torch.equal(loaded.represent(x), one.module.base_encoder.represent(x))
    assert not torch.equal(loaded.represent(x), one.module.momentum_encoder.represent(x))


def test_a_resumed_run_is_the_uninterrupted_one(digits, tmp_path):
    recipe = RECIPE | {"epochs": 3}
    whole, first, second = (objective(digits[0][:64], steps=6) for _ in range(3))
    fit(whole, recipe, 7, None, say_nothing)
    resume = Resume(tmp_path, "run")

    def stop(line):
        if line.startswith("epoch 2/"):
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(first, recipe, 7, resume, stop)
    fit(second, recipe, 7, resume, say_nothing)
    wanted, found = whole.module.state_dict(), second.module.state_dict()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_bad_input(digits):
    with pytest.raises(PenumbraError, match="unknown momentum_schedule 'linear'"):
        objective(digits[0][:8], momentum_schedule="linear")
    with pytest.raises(PenumbraError, match=r"a batch of one image.*of the 8 images"):
        objective(digits[0][:8]).loss(torch.tensor([3]), generator())


def half_bright():
    """Left half white."""
    pixels = torch.zeros(200, 3, 16, 16, dtype=torch.uint8)
    pixels[..., :8] = 255
    return pixels


def views(**changes):
    return Views(**VIEWS | changes)


@pytest.mark.parametrize(("flip", "least", "most"), [(False, 0, 0), (True, 70, 130)])
def test_flip_mirrors_half_of_the_views(flip, least, most):
    x = views(flip=flip, crop_scale=(0.8, 1.0))(half_bright(), 16, generator())
    mirrored = (x[..., 8:].mean((1, 2, 3)) > x[..., :8].mean((1, 2, 3))).sum()
    assert least <= mirrored <= most


def test_crops_keep_their_share_and_place():
    """Of two ramps, a crop's span is its width or height, and it never leaves the image."""
    ramp = torch.arange(64.0).mul(4).to(torch.uint8)
    pixels = torch.zeros(300, 3, 64, 64, dtype=torch.uint8)
    pixels[:, 0], pixels[:, 1] = ramp, ramp[:, None]
    draw = views(crop_scale=(0.25, 0.5), brightness=0.0, contrast=0.0)
    x = draw(pixels, 32, generator()) * 255 / 4  # back to places
    spans = [(x[:, c].amax((1, 2)) - x[:, c].amin((1, 2))) / 63 * 64 / 62 for c in (0, 1)]
    shares = spans[0] * spans[1]
    assert 0.22 < shares.min() < 0.28
    assert 0.45 < shares.max() < 0.55
    aspects = spans[0] / spans[1]
    assert 0.70 < aspects.min() < 0.80
    assert 1.25 < aspects.max() < 1.42
    assert x[:, :2].amin() >= 0
    assert x[:, :2].amax() <= 63


def test_brightness_contrast_and_blur():
    grey = torch.full((100, 3, 16, 16), 100, dtype=torch.uint8)
    levels = views(brightness=0.3)(grey, 16, generator()).mean((1, 2, 3)) * 255
    assert 69 < levels.min() < 80
    assert 120 < levels.max() < 131
    torch.testing.assert_close(views(brightness=0.0)(grey, 16, generator()), grey / 255)
    noise = torch.randint(0, 256, (100, 3, 16, 16), generator=generator(), dtype=torch.uint8)
    plain = {"crop_scale": (1.0, 1.0), "brightness": 0.0}
    sharp = views(**plain, contrast=0.0)(noise, 16, generator(3))
    strong = views(**plain, contrast=0.5)(noise // 2 + 64, 16, generator(3))
    ratio = strong.std((1, 2, 3)) / sharp.std((1, 2, 3)) * 2
    assert 0.45 < ratio.min() < 0.6
    assert 1.4 < ratio.max() < 1.55
    blurred = views(**plain, contrast=0.0, blur=2.0)(noise, 16, generator(3))
    same = (blurred == sharp).flatten(1).all(1)
    assert 30 < same.sum() < 70
    remains = (blurred.std((1, 2, 3)) / sharp.std((1, 2, 3)))[~same]
    assert remains.max() < 1 + 1e-5
    assert remains.min() < 0.3
    blurred = views(**plain, contrast=0.0, blur=2.0)(grey, 16, generator(3))
    torch.testing.assert_close(blurred, grey / 255)
