"""DML+'s two trainings by independent formulas: focal loss on a cosine head, and centre loss."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build, restore
from penumbra.networks.layers import heads
from penumbra.training.method import Batch
from penumbra.training.methods import centre, focal
from tests.training.helpers import OPTIONS, network, setting, trainer

NETWORK = {"network": "resnet", "layers": 18, "width": 2, "stem": "fn"}
COSINE = {"similarity": "cosine", "scale": 40.0}


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_the_focal_loss_is_equation_4(gamma):
    draws = np.random.default_rng(0)
    logits, y = 3 * draws.normal(size=(9, 4)), draws.integers(0, 4, 9)
    p = softmax(logits)[np.arange(9), y]
    made = focal.build({"gamma": gamma}, setting(network()))
    given = torch.from_numpy(logits).requires_grad_()
    loss = made.loss(given, torch.from_numpy(y))
    assert float(loss.detach()) == pytest.approx(np.mean(-((1 - p) ** gamma) * np.log(p)), rel=1e-5)
    sure = torch.tensor([[60.0, 0.0], [0.0, 70.0]], requires_grad=True)
    made.loss(sure, torch.tensor([0, 1])).backward()
    assert sure.grad.isfinite().all()


def test_the_cosine_head_is_scaled_and_read_back():
    torch.manual_seed(0)
    model = build(NETWORK | {"head": COSINE}, 10).eval()
    x = torch.randn(4, 3, 16, 16)
    z, w = model.features(x).detach().numpy(), model.fc.weight.detach().numpy()
    cosine = z @ w.T / np.linalg.norm(z, axis=1)[:, None] / np.linalg.norm(w, axis=1)
    assert model(x).detach().numpy() == pytest.approx(40 * cosine, rel=1e-2, abs=1e-2)
    state = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    again = restore(NETWORK | {"head": COSINE}, 10, state).eval()
    assert torch.equal(again(x), model(x))
    assert type(heads.build(8, 3)) is heads.GodinHead
    with pytest.raises(PenumbraError, match="scale"):
        heads.build(8, 3, scale=0.0)


def test_the_centre_loss_and_how_centres_follow():
    """Wen et al., Eq. 2 without its half, and Eq. 4."""
    model = network()
    made = centre.build({"weights": [0.3], "milestones": []}, setting(model))
    draws = np.random.default_rng(0)
    features = draws.normal(size=(7, 16)).astype(np.float32)
    y = np.array([0, 3, 3, 9, 0, 3, 1])
    centres = draws.normal(size=(10, 16))
    made.centres.copy_(torch.from_numpy(centres))
    made.inputs(torch.zeros(7, 3, 16, 16), torch.from_numpy(y), Batch(0, 0, 0))
    loss = made.loss(torch.from_numpy(features), torch.from_numpy(y))
    logits = features @ model.fc.weight.detach().numpy().T + model.fc.bias.detach().numpy()
    surprise = -np.log(softmax(logits)[np.arange(7), y]).mean()
    spread = ((features - centres[y]) ** 2).sum(1).mean()
    assert float(loss.detach()) == pytest.approx(surprise + 0.3 * spread, rel=1e-5)
    moved = centres.copy()
    for k in range(10):
        own = features[y == k]
        moved[k] -= 0.5 * (centres[k] - own).sum(0) / (1 + len(own))
    assert made.centres.numpy() == pytest.approx(moved, abs=1e-5)
    right = int(made.right(torch.from_numpy(features), torch.from_numpy(y)))
    assert right == (logits.argmax(1) == y).sum()


def test_the_weight_changes_at_shares_of_all_epochs():
    run = trainer("centre", {"weights": [0.0, 0.1, 0.5], "milestones": [0.3, 0.4]}, epochs=200)
    images = torch.zeros(2, 3, 16, 16)
    found = {}
    for epoch in (0, 59, 60, 79, 80, 199):
        run.method.inputs(images, torch.zeros(2, dtype=torch.int64), Batch(epoch, 0, 0))
        found[epoch] = round(run.method.weight.item(), 6)
    assert found == {0: 0.0, 59: 0.0, 60: 0.1, 79: 0.1, 80: 0.5, 199: 0.5}
    with pytest.raises(PenumbraError, match="2 weights and 2 milestones; say one weight more"):
        trainer("centre", {"weights": [0.0, 0.1], "milestones": [0.3, 0.4]})


def test_the_centre_loss_draws_features_together():
    """Of two trainings from one start, the one with the loss has the less spread within classes."""

    def spread(weight):
        run = trainer("centre", {"weights": [weight], "milestones": []}, epochs=5, count=100)
        run.run(None, lambda _: None)
        x, y = run.feeder.batch(torch.arange(100), torch.Generator().manual_seed(0))
        z = run.model.eval().features(x).detach()
        within = torch.cat([z[y == k] - z[y == k].mean(0) for k in range(10)])
        return (within.square().sum() / (z - z.mean(0)).square().sum()).item()

    assert spread(0.1) < 0.9 * spread(0.0)


@pytest.mark.parametrize("method", ["focal", "centre"])
def test_they_learn_the_classes(method):
    run = trainer(method, OPTIONS[method], epochs=8, count=200, batch_size=20)
    history = run.run(None, lambda _: None)
    assert history[-1]["accuracy"] > history[0]["accuracy"] + 0.2
