"""VOS and NPOS: their losses by independent formulas, their queues, and what outliers do."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from penumbra.errors import PenumbraError
from penumbra.networks.layers.prototypes import Prototypes, dispersion
from penumbra.training.method import Batch
from penumbra.training.methods import npos, vos
from penumbra.training.resume import Resume
from tests.training.helpers import OPTIONS, VIEWS, equal, network, setting, trainer, weights


def softplus(x):
    return np.logaddexp(0, x)


def made(build, options, outliers):
    """A method of ten classes in which the outliers (M, 16) stand."""
    method = build(options, setting(network()))
    method.outliers.copy_(torch.from_numpy(outliers))
    method.there.fill_(1)
    return method


def drawn(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_the_loss_of_vos_is_equation_7():
    method = made(vos.build, OPTIONS["vos"] | {"weight": 0.3}, drawn(10, 1))
    z, y = drawn(6, 2), np.array([3, 0, 9, 9, 1, 4])
    fc, head = method.setting.model.fc, method.uncertainty
    weight, bias = (p.detach().double().numpy() for p in fc.parameters())
    with torch.no_grad():
        head.weight[2] = -0.5  # a class that counts for nothing
    shares = np.maximum(head.weight.detach().double().numpy(), 0)
    slope, offset = (p.detach().double().numpy() for p in head.phi[0].parameters())

    def surprise(features, right):
        energy = np.log((shares * np.exp(features @ weight.T + bias)).sum(1))
        answers = energy[:, None] * slope[:, 0] + offset
        return softplus(answers[:, 1 - right] - answers[:, right])

    logits = z @ weight.T + bias
    classified = (np.log(np.exp(logits).sum(1)) - logits[np.arange(6), y]).mean()
    both = np.concatenate([surprise(z, 1), surprise(drawn(10, 1), 0)]).mean()
    found = method.loss(torch.from_numpy(z), torch.from_numpy(y))
    assert found.item() == pytest.approx(classified + 0.3 * both, rel=1e-5)
    method.there.zero_()
    assert method.loss(torch.from_numpy(z), torch.from_numpy(y)).item() == pytest.approx(
        classified, rel=1e-5
    )


def test_the_loss_of_npos_is_that_of_cider_and_of_id_against_outliers():
    options = OPTIONS["npos"] | {"weight": 0.3, "dispersion": 0.6, "temperature": 0.2}
    outliers = drawn(80, 1)
    method = made(npos.build, options, outliers)
    z, y = drawn(6, 2), torch.tensor([3, 0, 9, 9, 1, 4])
    start = F.normalize(torch.from_numpy(drawn(10, 3))[:, :8], dim=1)
    method.prototypes.of_class.copy_(start)
    fc, unit = method.setting.model.fc, z / np.linalg.norm(z, axis=1, keepdims=True)
    with torch.no_grad():
        embedded = F.normalize(method.prototypes.projection(torch.from_numpy(z)), dim=1)
        classified = F.cross_entropy(fc(torch.from_numpy(z)), y).item()
        answers = [method.apart(torch.from_numpy(a))[:, 0].numpy() for a in (unit, outliers)]
        moved = method.prototypes.moved(embedded, y).double().numpy()
    cosines = embedded.double().numpy() @ moved.T / 0.2
    compact = -np.log(np.exp(cosines)[range(6), y] / np.exp(cosines).sum(1)).mean()
    near = np.exp(moved @ moved.T / 0.2)
    spread = np.mean([math.log(np.delete(near[i], i).mean()) for i in range(10)])
    told = np.concatenate([softplus(-answers[0]), softplus(answers[1])]).mean()
    found = method.loss(torch.from_numpy(z), y).item()
    wanted = classified + 0.2 / 0.07 * compact + 0.6 * spread + 0.3 * told
    assert found == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(method.prototypes.of_class, moved, atol=1e-6)


def test_prototypes_follow_their_classes_image_by_image():
    """As CIDER's Eq. 6 but for the length between the images of one batch."""
    layer = Prototypes(4, 3, 5, 0.7)
    layer.of_class.copy_(F.normalize(torch.randn(3, 5), dim=1))
    z, y = F.normalize(torch.randn(6, 5), dim=1), torch.tensor([0, 2, 2, 0, 2, 2])
    wanted = layer.of_class.clone()
    for each, label in zip(z, y, strict=True):
        wanted[label] = 0.7 * wanted[label] + 0.3 * each
    torch.testing.assert_close(layer.moved(z, y), F.normalize(wanted, dim=1))
    equator = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    opposite = math.log((math.e**-2 + 1) / 2), 0.0, math.log((math.e**-2 + 1) / 2)
    assert dispersion(equator, 0.5).item() == pytest.approx(sum(opposite) / 3, abs=1e-6)
    with pytest.raises(PenumbraError, match="there is one class"):
        dispersion(equator[:1], 0.5)


@pytest.mark.parametrize("name", ["vos", "npos"])
def test_outliers_move_the_network_once_queues_are_full(name):
    """Queues outlast epochs: no epoch here has as many images of a class as they hold."""
    runs = [trainer(name, OPTIONS[name] | {"weight": w}, epochs=5) for w in (0.0, 1.0)]
    for epoch in range(5):
        records = [run.epoch(epoch) for run in runs]
        first, second = (weights(run.model) for run in runs)
        is_drawn = records[0]["outliers"] > 0
        if is_drawn:
            break
        assert equal(first, second)
    assert epoch >= 1
    assert is_drawn
    assert not torch.equal(first["layer4.1.conv2.weight"], second["layer4.1.conv2.weight"])
    queues = runs[0].method.queues
    assert queues.counts.min() >= queues.length
    assert queues.rows.abs().sum(2).all()  # no place is empty


def test_npos_queues_both_views_at_length_one_and_no_class_moves_its_features():
    run = trainer("npos", OPTIONS["npos"] | {"views": VIEWS, "start": 0})
    x, y = run.feeder.batch(torch.arange(8), torch.Generator().manual_seed(0))
    inputs, _ = run.method.inputs(x, y, Batch(0, 0, 0))
    assert inputs.shape == (16, 3, 16, 16)
    assert not torch.equal(inputs[:8], inputs[8:])
    run.step(x, y, Batch(0, 0, 0))
    assert torch.equal(run.method.queues.counts, 2 * y.bincount(minlength=10))
    queued = run.method.queues.rows.flatten(0, 1).norm(dim=1)
    torch.testing.assert_close(queued[queued > 0], torch.ones(16))


def test_npos_last_layer_learns_and_moves_no_features():
    method = made(npos.build, OPTIONS["npos"], drawn(80, 1))
    last, start = method.setting.model.fc.weight, method.prototypes.of_class.clone()
    features, y = torch.randn(6, 16, requires_grad=True), torch.tensor([3, 0, 9, 9, 1, 4])
    found = []
    for _ in range(2):
        method.prototypes.of_class.copy_(start)
        found.append(torch.autograd.grad(method.loss(features, y), [features, last]))
        with torch.no_grad():
            last.mul_(3)
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][0].any()
    assert not torch.equal(found[0][1], found[1][1])


@pytest.mark.parametrize("name", ["vos", "npos"])
def test_a_queue_that_is_never_full_is_told_after_an_epoch(name):
    run = trainer(name, OPTIONS[name] | {"queue": 30}, epochs=4)
    message = f"method {name}: of a class there were 3 .* in 1 of 4 epochs, .* queue of 30 is never"
    with pytest.raises(PenumbraError, match=message):
        run.run(None, lambda _: None)
    with pytest.raises(PenumbraError, match="drawn after 4 of 4 epochs, so that there are none"):
        trainer(name, OPTIONS[name] | {"start": 4}, epochs=4)


@pytest.mark.parametrize("name", ["vos", "npos", "gan"])
def test_a_stopped_training_goes_on_alike(name, tmp_path):
    """Stopped within an epoch in which there are outliers."""
    whole = trainer(name, OPTIONS[name], epochs=5)
    history = whole.run(None, lambda _: None)
    resume, first = Resume(tmp_path, "run"), trainer(name, OPTIONS[name], epochs=5)
    step = first.method.after

    def after(x, y, batch):
        step(x, y, batch)
        resume.asked = batch.step == 20

    first.method.after = after
    with pytest.raises(PenumbraError, match="stopped by a signal in epoch 4 after step 3 of 6"):
        first.run(resume, lambda _: None)
    second = trainer(name, OPTIONS[name], epochs=5)
    assert second.run(Resume(tmp_path, "run"), lambda _: None) == history
    assert equal(weights(second.model), weights(whole.model))
    assert equal(second.method.state(), whole.method.state())


@pytest.mark.parametrize("name", ["vos", "npos", "gan"])
def test_they_learn_the_classes(name):
    run = trainer(name, OPTIONS[name], epochs=8, count=200, batch_size=20)
    history = run.run(None, lambda _: None)
    assert history[-1]["accuracy"] > history[0]["accuracy"] + 0.2
