"""The mechanics of universal adversarial training, phase by phase."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from penumbra.errors import PenumbraError
from penumbra.networks.base import Classifier
from penumbra.options.methods.pgd import Inner
from penumbra.training.method import Batch, Setting
from penumbra.training.methods.pgd import Attack
from penumbra.training.methods.uat import Universal
from penumbra.training.resume import Resume
from tests.training.helpers import (
    CPU,
    INNER,
    UAT,
    digits,
    equal,
    network,
    setting,
    trainer,
    weights,
)


class Linear(Classifier):
    """logits = A x: the optimal map of an l∞ ball is alpha · sign of the summed gradients."""

    blocks = ()

    def __init__(self, classes=2):
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(3 * 16 * 16, classes, bias=False)

    def places(self):
        return [("flatten", self.flatten)]


def batch_of(count=8, classes=10):
    pixels, labels = digits(count)
    return torch.from_numpy(pixels).float() / 127.5 - 1, torch.from_numpy(labels) % classes


def watch_inputs(run):
    """What the model is trained on, beside the clean batch, in order."""
    seen = []
    inner = run.method.inputs

    def inputs(x, y, batch):
        given, perturb = inner(x, y, batch)
        seen.append((batch, x, given if perturb is None else given + perturb[1]))
        return given, perturb

    run.method.inputs = inputs
    return seen


@pytest.mark.parametrize("method", ["uat", "pgd"])
@pytest.mark.parametrize(("index", "second_epoch"), [("epoch", [1, 3]), ("global", [0, 2, 4])])
def test_odd_batches_are_perturbed(index, second_epoch, method):
    """Five batches an epoch: a global count swaps the roles in the second epoch."""
    options = {"uat": UAT | {"tau": 100}, "pgd": INNER | {"perturb_on": "odd"}}[method]
    run = trainer(method, options | {"index": index}, count=40)
    seen = watch_inputs(run)
    run.run(None, lambda _: None)
    for batch, x, given in seen:
        perturbed = [1, 3] if batch.epoch == 0 else second_epoch
        assert torch.equal(given, x) == (batch.index not in perturbed)


def test_model_steps_leave_the_map_alone():
    run = trainer("uat", UAT | {"tau": 1000})
    run.feeder.batch(torch.arange(8), torch.Generator())
    run.method.after = lambda *_: None
    before, steps = run.method.map.clone(), []
    step = run.optimiser.step
    run.optimiser.step = lambda: steps.append(step())
    run.epoch(0)
    assert torch.equal(run.method.map, before)
    assert not run.method.map.requires_grad
    assert len(steps) == run.extent.batches == 6


@pytest.mark.parametrize("inner", [None, INNER])
def test_ascent_touches_nothing_but_the_map(inner):
    run = trainer("uat", UAT | {"inner_attack": inner})
    x, y = batch_of()
    run.step(x, y, Batch(0, 1, 1))
    run.optimiser.zero_grad()
    model = run.model
    before = weights(model)
    momentum = [buffer.clone() for buffer in run.optimiser.momentum]
    rng = torch.get_rng_state()
    map_before = run.method.map.clone()
    run.method.after(x, y, Batch(0, 3, 3))
    assert not torch.equal(run.method.map, map_before)
    assert equal(weights(model), before)  # weights, BN statistics and num_batches_tracked
    kept = zip(momentum, run.optimiser.momentum, strict=True)
    assert all(torch.equal(a, b) for a, b in kept)
    assert torch.equal(torch.get_rng_state(), rng)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert model.training
    assert all(module.training for module in model.modules())


def test_ascent_on_a_linear_model_reaches_the_optimum():
    torch.manual_seed(0)
    model = Linear()
    method = Universal(UAT | {"steps": 40, "step_size": 0.1}, setting(model))
    x, y = batch_of(classes=2)
    y = torch.zeros_like(y)
    method.ascend(x, y)
    # For two classes and one label, every sample's gradient points along the same difference.
    direction = (model.fc.weight[1] - model.fc.weight[0]).detach().reshape(1, 3, 16, 16)
    assert torch.equal(method.map, 0.1 * direction.sign())


def test_ascent_raises_the_loss_within_its_bound():
    model = network().train()
    method = Universal(UAT | {"steps": 10, "step_size": 0.1, "init": "zero"}, setting(model))
    x, y = batch_of()
    model.eval()
    before = F.cross_entropy(model(x), y)
    method.ascend(x, y)
    assert F.cross_entropy(model(x, ("input", method.map)), y) > before
    assert method.map.abs().max() <= 0.1


@pytest.mark.parametrize("tau", [3, 10, 25, 50, 100])
def test_number_of_updates(tau):
    run = trainer("uat", UAT | {"tau": tau, "steps": 1}, epochs=1, batch_size=2, count=120)
    updates = []
    run.method.ascend = lambda x, y: updates.append(len(x))
    run.epoch(0)
    assert len(updates) == -(-run.extent.batches // tau)


def test_alpha_zero_is_standard_training():
    plain, zero = trainer(), trainer("uat", UAT | {"alpha": 0.0})
    for run in (plain, zero):
        run.run(None, lambda _: None)
    assert equal(weights(plain.model), weights(zero.model))


def test_long_interval_is_one_map_per_epoch():
    run = trainer("uat", UAT | {"tau": 1000, "init": "zero"})
    maps = []
    ascend = run.method.ascend
    run.method.ascend = lambda x, y: (ascend(x, y), maps.append(run.method.map.clone()))
    run.run(None, lambda _: None)
    assert len(maps) == 2
    assert not torch.equal(*maps)


def test_a_random_restart_is_random_whatever_the_first_map_was():
    random, zero = (
        trainer("uat", UAT | {"init": "zero", "restart": restart, "steps": 1})
        for restart in ("random", "zero")
    )
    x, y = batch_of()
    for run in (random, zero):
        assert not run.method.delta.any()
        run.method.ascend(x, y)
    assert zero.method.delta.abs().max() == zero.method.options.step_size
    assert random.method.delta.unique().numel() > zero.method.delta.unique().numel()


@pytest.mark.parametrize(
    ("options", "batches", "epochs", "told"),
    [
        ({}, 1, 3, True),
        ({"index": "global"}, 1, 1, True),
        ({"index": "global"}, 1, 2, False),
        ({"perturb_on": "always"}, 1, 1, False),
        ({}, 2, 1, False),
    ],
)
def test_a_training_without_a_perturbed_batch_is_refused(options, batches, epochs, told):
    method = trainer("uat", UAT | options).method
    if told:
        with pytest.raises(PenumbraError, match="this would be standard training; say index: glo"):
            method.check(batches, epochs)
    else:
        method.check(batches, epochs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"restart": "random", "update": "sign_step"}, "restart random is for update pgd"),
        ({"restart": "zero", "update": "grad_step"}, "restart zero is for update pgd"),
        ({"space": "pixel", "position": "middle"}, "space pixel is for position input"),
    ],
)
def test_options_that_would_change_nothing_are_refused(options, said):
    with pytest.raises(PenumbraError, match=said):
        trainer("uat", UAT | options)


def test_map_is_one_for_all_samples():
    run = trainer("uat", UAT)
    x, y = batch_of()
    given, (where, map_) = run.method.inputs(x, y, Batch(0, 1, 1))
    assert where == "input"
    assert map_.shape == (1, 3, 16, 16)
    difference = given + map_ - x
    assert torch.allclose(difference, difference[:1].expand_as(difference), atol=1e-6)
    with pytest.raises(RuntimeError, match="size"):
        run.model(x[:, :, :8], (where, map_))


def test_pixel_space_is_normalised_space_times_std():
    model = network()
    mean, std = torch.full((1, 3, 1, 1), 0.4), torch.tensor([0.2, 0.3, 0.4]).reshape(1, 3, 1, 1)
    made = Setting(model, (3, 16, 16), mean, std, 0, CPU)
    method = Universal(UAT | {"space": "pixel", "alpha": 0.05}, made)
    pixels = torch.rand(4, 3, 16, 16)
    before_normalising = (pixels + method.map * std - mean) / std
    assert torch.allclose((pixels - mean) / std + method.map, before_normalising, atol=1e-6)
    assert (method.map * std).abs().max() <= 0.05 + 1e-7


@pytest.mark.parametrize(
    "options", [UAT, UAT | {"restart": "random"}, UAT | {"position": "middle"}]
)
def test_resumed_run_equals_an_undisturbed_one(tmp_path, options):
    whole = trainer("uat", options, epochs=3)
    whole.run(None, lambda _: None)
    first = trainer("uat", options, epochs=3)
    resume = Resume(tmp_path, "run")
    first.recipe = first.recipe | {"epochs": 3}
    history = [first.epoch(0)]
    resume.write(first.state(), history)
    second = trainer("uat", options, epochs=3)
    messages = []
    found = second.run(resume, messages.append)
    assert messages[0] == "resuming after epoch 1 of 3"
    assert [record["epoch"] for record in found] == [0, 1, 2]
    assert equal(weights(second.model), weights(whole.model))
    assert equal(second.method.state(), whole.method.state())


def test_inner_attack_stays_in_its_ball():
    model = network()
    made = setting(model)
    attack = Attack(Inner.of(INNER), made)
    x, y = batch_of()
    adversarial = attack.examples(x, y, Batch(0, 0, 0))
    eps = INNER["eps"] / 0.5
    assert (adversarial - x).abs().max() <= eps + 1e-6
    assert adversarial.min() >= -1
    assert adversarial.max() <= 1
    model.eval()
    assert F.cross_entropy(model(adversarial), y) > F.cross_entropy(model(x), y)


def test_an_attack_at_uats_bound_may_leave_the_range_of_pixels():
    """eps 12.75/255 is alpha 0.1 where std is 0.5, and x + L is not clipped either."""
    method = Universal(UAT, setting(network()))
    attack = Attack(Inner.of(INNER | {"eps": 0.05, "clip_pixels": False}), setting(network()))
    x, y = batch_of()  # digits: much of them is black, at -1
    examples = attack.examples(x, y, Batch(0, 0, 0))
    assert (examples - x).abs().max() <= method.options.alpha + 1e-6
    assert examples.min() < -1.05
    assert (x + method.map).min() < -1.05


def test_grad_step_moves_by_alpha_times_the_gradient():
    model = network().eval()
    method = Universal(UAT | {"update": "grad_step", "alpha": 0.7, "clip": None}, setting(model))
    method.map = torch.zeros_like(method.map)
    x, y = batch_of()
    at = torch.zeros_like(method.map, requires_grad=True)
    (gradient,) = torch.autograd.grad(F.cross_entropy(model(x + at), y), at)
    method.ascend(x, y)
    assert torch.equal(method.map, 0.7 * gradient)


def test_shafahi_is_a_setting():
    """perturb_on always, tau 1, sign steps, clipped: Shafahi et al. (2020)."""
    options = UAT | {"perturb_on": "always", "tau": 1, "update": "sign_step", "clip": 0.04}
    run = trainer("uat", options | {"alpha": 0.03, "init": "zero"}, epochs=1)
    seen = watch_inputs(run)
    run.run(None, lambda _: None)
    assert torch.equal(seen[0][1], seen[0][2])  # the first map is zero
    assert all(not torch.equal(x, given) for _, x, given in seen[1:])
    assert run.method.map.abs().max() == pytest.approx(0.04)


def test_map_inside_the_network_is_in_units_of_its_activations():
    run = trainer("uat", UAT | {"position": "middle"}, epochs=1)
    run.run(None, lambda _: None)
    assert run.method.where == "layer2.1"
    assert run.method.map.shape == run.model.shape_at("layer2.1", (3, 16, 16))
    bound = 0.1 * float(run.method.unit)
    assert run.method.map.abs().max() <= bound + 1e-7
    assert list(run.method.artifacts()) == ["map@layer2.1"]


def test_final_position_ascent_follows_the_closed_form():
    """After the map there is only pooling and a linear layer, so the gradient's sign is known."""
    model = network().eval()
    method = Universal(UAT | {"position": "final", "init": "zero", "steps": 1}, setting(model))
    x, y = batch_of()
    method._measure(x)
    with torch.no_grad():
        probability = model(x).softmax(1)
        error = probability - F.one_hot(y, 10)
        direction = (error @ model.fc.weight).mean(0)
    method.ascend(x, y)
    expected = direction.sign().reshape(1, -1, 1, 1).expand_as(method.delta)
    assert torch.equal(method.delta.sign(), expected)
