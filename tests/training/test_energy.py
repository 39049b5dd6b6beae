"""The energy regulariser: its loss, its outliers and what it does to real images."""

import math
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
import torch.nn.functional as F
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.networks.inference import weights as network_weights
from penumbra.networks.layers.phi import make_monotone, phi_logit
from penumbra.training.loop import Trainer
from penumbra.training.method import Batch, Setting
from penumbra.training.methods import energy
from penumbra.training.resume import Resume
from penumbra.training.stream import Stream
from tests.training.helpers import CPU, HALF, RECIPE, digits, equal, network, weights

OPTIONS = {
    "beta": 2.0, "phi": "mlp512", "monotone": True, "reduction": "concat_mean", "outlier_batch": 8,
}  # fmt: skip
SWITCHES = [
    (phi, reduction)
    for phi in ("linear", "mlp512")
    for reduction in ("concat_mean", "separate_means")
]


def textures(count):
    """Windows of brick, grass and gravel: uint8 (count, 3, 16, 16)."""
    folder = Path(skimage.__file__).parent / "data"
    names = ("brick.png", "grass.png", "gravel.png")
    pictures = [np.asarray(Image.open(folder / name).convert("L")) for name in names]
    found = np.empty((count, 3, 16, 16), np.uint8)
    for i in range(count):
        y, x = np.random.default_rng(i).integers(0, 480, 2)
        found[i] = pictures[i % 3][y : y + 32 : 2, x : x + 32 : 2]
    return found


def fed(pixels, labels=None, flip=False):
    labels = np.zeros(len(pixels), np.int64) if labels is None else labels
    return Feeder(pixels, labels, HALF, flip, 1, False, CPU)


def method(changes=(), outliers=20, model=None, seed=0):
    half = torch.full((1, 3, 1, 1), 0.5)
    feeder = fed(textures(outliers)) if outliers else None
    setting = Setting(model or network(), (3, 16, 16), half, half, seed, CPU, feeder)
    return energy.build(OPTIONS | dict(changes), setting)


def trainer(changes=(), outliers=20, count=44, **recipe):
    pixels, labels = digits(count)
    made = method(changes, outliers)
    return Trainer(made.setting.model, fed(pixels, labels), made, RECIPE | recipe, 0)


def value(loss):
    return float(loss.detach())


def increasing(made):
    """Set a linear phi whose logit of ID is lse and that of outlier -lse."""
    with torch.no_grad():
        made.phi[0].weight.copy_(torch.tensor([[-1.0], [1.0]]))
        made.phi[0].bias.zero_()


@pytest.mark.parametrize(("kind", "reduction"), SWITCHES)
def test_two_logits_are_one_logit_of_outlier(kind, reduction):
    made = method({"phi": kind, "reduction": reduction})
    lse = torch.tensor([3.0, 12.0, 7.0, 5.0, -2.0])
    logit = phi_logit(made.artifacts(), -lse)
    is_outlier = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])
    losses = F.binary_cross_entropy_with_logits(logit, is_outlier, reduction="none")
    wanted = losses.mean() if reduction == "concat_mean" else losses[:3].mean() + losses[3:].mean()
    assert value(made.uncertainty(lse, 3)) == pytest.approx(float(wanted), rel=1e-5)


def test_separate_means_double_the_loss_of_equal_halves():
    lse = torch.linspace(-1, 9, 8)
    mean, sum_ = (method({"reduction": r}) for r in ("concat_mean", "separate_means"))
    assert value(sum_.uncertainty(lse, 4)) == pytest.approx(2 * value(mean.uncertainty(lse, 4)))


def test_gradient_raises_lse_of_id_and_lowers_that_of_outliers():
    made = method({"phi": "linear"})
    increasing(made)
    lse = torch.tensor([1.0, -1.0, 0.5, 2.0, -3.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(made.uncertainty(lse, 2), lse)
    assert (gradient[:2] < 0).all()
    assert (gradient[2:] > 0).all()


def test_a_shift_of_all_logits_moves_energies_alone():
    plain, both = method({"beta": 0.0}), method()
    logits, y = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    shift = [value(made.loss(logits + 3, y) - made.loss(logits, y)) for made in (plain, both)]
    assert shift[0] == pytest.approx(0, abs=1e-5)
    assert abs(shift[1]) > 1e-3


def test_cross_entropy_is_that_of_the_id_part():
    made = method({"beta": 0.0})
    logits, y = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)), torch.arange(5)
    assert torch.equal(made.loss(logits, y), F.cross_entropy(logits[:5], y))


def test_batch_norm_sees_id_and_outliers_together():
    run = trainer()
    model = run.model.train()
    x, y = run.feeder.batch(torch.arange(8), torch.Generator().manual_seed(0))
    given, _ = run.method.inputs(x, y, Batch(0, 0, 0))
    assert given.shape == (16, 3, 16, 16)
    assert torch.equal(given[:8], x)
    with torch.no_grad():
        first = model.conv1(given)
    run.step(x, y, Batch(0, 0, 0))
    momentum = model.bn1.momentum
    assert torch.allclose(model.bn1.running_mean, momentum * first.mean((0, 2, 3)), atol=1e-6)
    alone = momentum * first[:8].mean((0, 2, 3))
    assert not torch.allclose(model.bn1.running_mean, alone, atol=1e-3)


def test_loss_at_initialisation():
    """log K + 2 log 2 while phi says nothing; what its first draw says of equal energies costs."""
    logits, y = torch.zeros(200, 100), torch.arange(100)
    mute = math.log(100) + 2 * math.log(2)
    losses = []
    for seed in range(20):
        made = method({"phi": "linear"}, outliers=1, seed=seed)
        losses.append(value(made.loss(logits, y)))
    assert mute <= min(losses) < mute + 0.01
    assert np.mean(losses) < 1.5 * mute
    with torch.no_grad():
        for parameter in made.phi.parameters():
            parameter.zero_()
    assert value(made.loss(logits, y)) == pytest.approx(mute)


def test_uncertainty_is_counted_in_float32_under_autocast():
    made = method()
    logits = torch.randn(8, 10, generator=torch.Generator().manual_seed(0)).bfloat16() + 20
    wanted = value(made.uncertainty(logits.float().logsumexp(1), 5))
    with torch.autocast("cpu", torch.bfloat16):
        made.loss(logits, torch.arange(5))
    made.after(logits, torch.arange(5), Batch(0, 0, 0))
    assert made.record() == {"uncertainty": pytest.approx(wanted, rel=1e-6)}


@pytest.mark.parametrize("kind", ["linear", "mlp512"])
def test_phi_is_optimised_like_the_network(kind):
    """Without a loss on phi, what moves it is the network's weight decay at its rate."""
    run = trainer({"phi": kind, "beta": 0.0}, weight_decay=0.1, lr=0.5)
    before = run.method.state()
    before = {name: tensor.clone() for name, tensor in before.items()}
    x, y = run.feeder.batch(torch.arange(8), torch.Generator().manual_seed(0))
    run.step(x, y, Batch(0, 0, 0))
    after = run.method.state()
    assert all(torch.allclose(after[name], 0.95 * before[name]) for name in before)


def test_the_checkpoint_keeps_phi_apart_from_the_network():
    made = method()
    shapes = {name: tuple(tensor.shape) for name, tensor in made.artifacts().items()}
    assert shapes == {
        "phi.0.weight": (512, 1),
        "phi.0.bias": (512,),
        "phi.2.weight": (2, 512),
        "phi.2.bias": (2,),
    }
    assert network_weights(made.artifacts()) == {}
    exact = phi_logit(made.artifacts(), torch.linspace(-30, 0, 9, dtype=torch.float64))
    assert exact.dtype == torch.float64
    with pytest.raises(PenumbraError, match="method energy"):
        phi_logit({"model.fc.weight": torch.zeros(1)}, torch.zeros(1))


def test_phi_and_outliers_follow_from_the_seed():
    torch.manual_seed(1)
    first = method()
    torch.manual_seed(2)
    second, other = method(), method(seed=1)
    assert equal(first.state(), second.state())
    assert not equal(first.state(), other.state())
    assert torch.equal(first.outliers.batch(7), second.outliers.batch(7))
    assert not torch.equal(first.outliers.batch(7), other.outliers.batch(7))


@pytest.mark.parametrize("size", [3, 8, 20, 50])
def test_outliers_start_again_in_another_order(size):
    stream = Stream(fed(textures(20)), size, 0, "outliers")
    batches = [stream.rows(step) for step in range(40)]
    assert all(len(rows) == size for rows in batches)
    served = torch.cat(batches)
    passes = served[: len(served) // 20 * 20].reshape(-1, 20).tolist()
    assert all(sorted(order) == list(range(20)) for order in passes)
    assert len(set(map(tuple, passes))) == len(passes) >= 6
    late = Stream(fed(textures(20)), size, 0, "outliers")
    assert torch.equal(late.rows(31), batches[31])


def test_a_returning_outlier_is_augmented_anew():
    stream = Stream(fed(textures(1), flip=True), 32, 0, "outliers")
    assert torch.equal(stream.rows(0), torch.zeros(32, dtype=torch.int64))
    assert len(torch.unique(stream.batch(0).flatten(1), dim=0)) > 8
    assert not torch.equal(stream.batch(0), stream.batch(1))


def test_fewer_outliers_than_a_batch_train():
    history = trainer(outliers=3, lr=0.01).run(None, lambda _: None)
    assert all(math.isfinite(record["loss"]) for record in history)


def test_outliers_must_be_there_and_fit():
    with pytest.raises(PenumbraError, match="name an outlier set"):
        method(outliers=None)
    half = torch.full((1, 3, 1, 1), 0.5)
    for pixels, message in (
        (textures(1)[:0], "is empty; widen the band"),
        (textures(2)[:, :, :8], r"outliers measure \(3, 8, 16\) and ID images \(3, 16, 16\)"),
    ):
        setting = Setting(network(), (3, 16, 16), half, half, 0, CPU, fed(pixels))
        with pytest.raises(PenumbraError, match=message):
            energy.build(OPTIONS, setting)
    with pytest.raises(PenumbraError, match="did you mean 'mlp512'"):
        method({"phi": "mlp51"})


@pytest.mark.parametrize("stop", [1, 2])
def test_resumed_run_equals_an_undisturbed_one(tmp_path, stop):
    whole = trainer(epochs=3, lr=0.01)
    history = whole.run(None, lambda _: None)
    first = trainer(epochs=3, lr=0.01)
    resume = Resume(tmp_path, "run")
    done = [first.epoch(epoch) for epoch in range(stop)]
    resume.write(first.state(), done)
    second = trainer(epochs=3, lr=0.01)
    found = second.run(resume, lambda _: None)
    assert found == history
    assert all(record["uncertainty"] < record["loss"] for record in found)
    assert equal(weights(second.model), weights(whole.model))
    assert equal(second.method.state(), whole.method.state())


def test_a_diverged_run_names_beta():
    with pytest.raises(PenumbraError, match="for energy a smaller beta"):
        trainer({"beta": 1e38}, epochs=3).run(None, lambda _: None)


@pytest.mark.parametrize("kind", ["linear", "mlp512"])
def test_a_monotone_phi_never_falls_with_the_energy(kind):
    run = trainer({"phi": kind}, lr=0.01)
    free = method({"phi": kind, "monotone": False}, seed=3)
    energies = torch.linspace(-40, 10, 200)

    def slopes(made):
        return phi_logit(made.artifacts(), energies).diff()

    assert (slopes(run.method) >= -1e-6).all()
    assert slopes(run.method).max() > 1e-3
    run.run(None, lambda _: None)
    assert (slopes(run.method) >= -1e-6).all()
    with torch.no_grad():  # a free phi turned round
        last = free.phi[-1].weight
        last.copy_(last.flip(0) if (slopes(free) > 0).all() else last)
    assert (slopes(free) < 0).any()
    before = last.clone()
    make_monotone(free.phi)
    assert (slopes(free) >= -1e-6).all()
    kept = (last == before).all(0)
    assert torch.allclose(last.mean(0), before.mean(0))
    assert (last[0] == last[1])[~kept].all()
    assert kind == "linear" or 100 < kept.sum() < 400


@pytest.mark.parametrize("kind", ["linear", "mlp512"])
def test_training_lowers_the_lse_of_unseen_outliers_below_that_of_id(kind):
    """Here a free phi ends the wrong way round (linear) or without accuracy (mlp512)."""
    pixels, labels = digits(300)
    seen, unseen = textures(160)[:120], textures(160)[120:]
    torch.manual_seed(0)
    model = network()
    half = torch.full((1, 3, 1, 1), 0.5)
    setting = Setting(model, (3, 16, 16), half, half, 0, CPU, fed(seen))
    made = energy.build(OPTIONS | {"phi": kind, "outlier_batch": 20}, setting)
    schedule = {"kind": "cosine_iteration", "warmup_epochs": 1}
    recipe = RECIPE | {"epochs": 8, "batch_size": 20, "lr": 0.05, "schedule": schedule}
    loop = Trainer(model, fed(pixels[:240], labels[:240]), made, recipe, 0)
    history = loop.run(None, lambda _: None)
    assert history[-1]["accuracy"] > 0.6
    assert history[-1]["uncertainty"] < 0.5 * history[0]["uncertainty"]
    model.eval()
    with torch.inference_mode():
        lse_id, lse_outlier = (
            model((torch.from_numpy(part) / 255 - 0.5) / 0.5).logsumexp(1)
            for part in (pixels[240:], unseen)
        )
    assert (lse_id[:, None] > lse_outlier).float().mean() > 0.95
    logits = [phi_logit(made.artifacts(), -lse) for lse in (lse_id, lse_outlier)]
    assert (logits[0] < 0).float().mean() > 0.8
    assert (logits[1] > 0).float().mean() > 0.8
