"""SimCLR and RotLoss: their losses by independent formulas, their inputs, and what they leave."""

import colorsys

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.training.method import Batch
from penumbra.training.similarity import against_all_views
from penumbra.training.views import Views, turned
from tests.training.helpers import OPTIONS, VIEWS, digits, trainer

METHODS = ("simclr", "rotloss")
PLAIN = {
    "crop_scale": (1.0, 1.0), "flip": False, "brightness": 0.0, "contrast": 0.0, "blur": 0.0,
}  # fmt: skip


def made(method, **changes):
    return trainer(method, OPTIONS[method], **changes)


def fed(run, count=8):
    return run.feeder.batch(torch.arange(count), torch.Generator().manual_seed(0))


def cross_entropy(logits, targets):
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    chosen = shifted[np.arange(len(logits)), targets] / shifted.sum(1)
    return -np.log(chosen).mean()


def test_nt_xent_is_equation_1():
    z = np.random.default_rng(0).normal(size=(10, 7))
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    losses = []
    for i in range(10):
        j = (i + 5) % 10
        others = [np.exp(unit[i] @ unit[k] / 0.3) for k in range(10) if k != i]
        losses.append(-np.log(np.exp(unit[i] @ unit[j] / 0.3) / sum(others)))
    found = torch.nn.functional.cross_entropy(*against_all_views(torch.from_numpy(z), 0.3))
    assert float(found) == pytest.approx(np.mean(losses), rel=1e-5)


def test_simclr_contrasts_two_views_of_each_image():
    run = made("simclr")
    x, y = fed(run)
    views, _ = run.method.inputs(x, y, Batch(0, 1, 1))
    again, _ = run.method.inputs(x, y, Batch(0, 1, 1))
    later, _ = run.method.inputs(x, y, Batch(0, 2, 2))
    assert views.shape == (16, 3, 16, 16)
    assert torch.equal(views, again)
    assert not torch.equal(views, later)
    assert not torch.equal(views[:8], views[8:])
    assert views.min() >= -1
    assert views.max() <= 1.000001
    features = run.model.eval().features(views)
    head = run.method.head
    hidden = torch.relu(features @ head[0].weight.T + head[0].bias)
    z = hidden @ head[2].weight.T + head[2].bias
    own = torch.cosine_similarity(z[:, None], z[None], dim=2) / OPTIONS["simclr"]["temperature"]
    own = own.detach().double().numpy()
    own[np.arange(16), np.arange(16)] = -np.inf
    targets = (np.arange(16) + 8) % 16
    assert float(run.method.loss(features, y).detach()) == pytest.approx(
        cross_entropy(own, targets), rel=1e-5
    )
    assert int(run.method.right(features, y)) == (own.argmax(1) == targets).sum()


def test_rotloss_asks_for_the_turn_of_all_four():
    run = made("rotloss")
    x, y = fed(run)
    turned_images, _ = run.method.inputs(x, y, Batch(0, 0, 0))
    for turn in range(4):
        expected = np.rot90(x.numpy(), turn, (2, 3))
        assert np.array_equal(turned_images[8 * turn : 8 * turn + 8].numpy(), expected)
    features = run.model.eval().features(turned_images)
    head = run.method.head
    logits = (features @ head.weight.T + head.bias).detach().double().numpy()
    targets = np.repeat([0, 1, 2, 3], 8)
    assert float(run.method.loss(features, y).detach()) == pytest.approx(
        cross_entropy(logits, targets), rel=1e-5
    )
    assert int(run.method.right(features, y)) == (logits.argmax(1) == targets).sum()


@pytest.mark.parametrize("method", METHODS)
def test_it_learns_and_leaves_a_last_layer_of_zeros(method):
    """What is learned is told by its own name, and the head is in no checkpoint."""
    epochs, schedule = {"simclr": 12, "rotloss": 6}[method], {"kind": "cosine_iteration"}
    rate = {"lr": 0.1, "schedule": schedule | {"warmup_epochs": 1}}
    run = made(method, epochs=epochs, count=120, batch_size=20, **rate)
    history = run.run(None, lambda _: None)
    counted = {"simclr": "pair_accuracy", "rotloss": "rotation_accuracy"}[method]
    assert "accuracy" not in history[0]
    assert history[-1][counted] > history[0][counted] + 0.03  # processors differ
    assert 0 <= history[0][counted] <= history[-1][counted] <= 1
    assert history[-1]["loss"] < history[0]["loss"]
    assert not any(tensor.any() for tensor in run.model.fc.state_dict().values())
    assert run.method.artifacts() == {}


@pytest.mark.parametrize("method", METHODS)
def test_labels_change_nothing(method):
    first, second = made(method, epochs=1), made(method, epochs=1)
    second.feeder.labels = second.feeder.labels.flip(0)
    assert first.run(None, lambda _: None) == second.run(None, lambda _: None)


def test_one_image_is_told_from_no_other():
    run = made("simclr")
    x, y = fed(run, 1)
    with pytest.raises(PenumbraError, match="one image has no other"):
        run.method.inputs(x, y, Batch(0, 0, 0))


def test_a_turned_hue_is_that_of_hsv():
    generator = np.random.default_rng(0)
    colours = generator.random((6, 3, 2, 2))
    colours[0] = 0.4  # grey has no hue
    colours[1, :, 0, 0] = (1.0, 0.0, 0.0)
    turns = np.array([0.2, 0.5, -0.3, 0.0, -0.5, 0.1])
    found = turned(torch.from_numpy(colours), torch.from_numpy(turns)).numpy()
    for image, turn, mine in zip(colours, turns, found, strict=True):
        for y, x in np.ndindex(2, 2):
            hue, saturation, value = colorsys.rgb_to_hsv(*image[:, y, x])
            expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
            assert mine[:, y, x] == pytest.approx(expected, abs=1e-12)


def test_some_views_lose_their_colour_and_some_keep_all():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 255, (400, 3, 4, 4), np.uint8))

    def drawn(**changes):
        return Views(**PLAIN | changes)(pixels, 4, torch.Generator().manual_seed(1))

    plain = drawn()
    grey = (drawn(grey=0.25).std(1) < 1e-6).all((1, 2)).float().mean()
    assert 0.18 < grey < 0.32
    changed = drawn(jitter=0.25, brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2)
    moved = ((changed - plain).abs() > 1e-3).any(3).any(2).any(1).float().mean()
    assert 0.18 < moved < 0.32
    faded = Views(**PLAIN | {"saturation": 1.0})(pixels, 4, torch.Generator().manual_seed(1))
    luma = torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    inside = (faded > 0).all(1) & (faded < 1).all(1)  # nothing was cut off
    apart = ((faded * luma).sum(1) - (plain * luma).sum(1)).abs()
    assert apart[inside].max() < 1e-5


def test_real_digits_have_two_views_with_all_changes():
    pixels = torch.from_numpy(digits(20)[0])
    views = Views(**VIEWS | {"saturation": 0.4, "hue": 0.1, "jitter": 0.8, "grey": 0.2})
    found = views(pixels, 16, torch.Generator().manual_seed(0))
    assert found.shape == (20, 3, 16, 16)
    assert found.isfinite().all()
    assert 0 <= found.min() <= found.max() <= 1
