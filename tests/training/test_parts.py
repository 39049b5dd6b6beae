"""The loop of the generative parts, its AdamW, and the RDM's training."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.rdm import Rdm
from penumbra.training.adamw import AdamW
from penumbra.training.objectives.rdm import RdmObjective
from penumbra.training.parts import Recipe, fit
from penumbra.training.resume import Resume
from tests.training.helpers import equal, weights

RECIPE = {
    "epochs": 3, "batch_size": 16, "lr": 2e-3, "weight_decay": 0.01, "betas": (0.9, 0.95),
    "warmup_epochs": 1, "schedule": "cosine", "clip": 1.0, "precision": "float32",
}  # fmt: skip


def digits(count):
    """Images of real digits (count, 64), each standardised, and their labels."""
    bunch = load_digits()
    x = torch.from_numpy(bunch.data[:count]).float()
    x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)
    return x, torch.from_numpy(bunch.target[:count]).long()


def objective(count=56, seed=0, conditional=True):
    """56 samples are three batches of 16 and a rest that is left out."""
    torch.manual_seed(seed)
    rdm = Rdm(64, 64, 32, 3, 64, 16, classes=10, conditional=conditional)
    return RdmObjective(rdm, *digits(count))


def train(objective, resume=None, seed=0, report=lambda _: None, **changes):
    return fit(objective, RECIPE | changes, seed, resume, report)


def test_the_estimate_of_x0_gets_better():
    plain = objective(1000)
    history = train(plain, epochs=10, batch_size=50)
    assert history[0]["loss"] == pytest.approx(63 / 64, abs=0.15)  # that of the estimate 0
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    rdm, (x0, labels) = plain.rdm, digits(1000)
    t = torch.full((1000,), 300)
    z = rdm.noised(x0, t, torch.randn(x0.shape, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        error = (rdm.ema_denoiser()(z, t, rdm.context(labels)) - x0).square().mean()
    assert error < 0.8 * (z / rdm.sqrt_alphas_cumprod[300] - x0).square().mean()


def test_same_seed_same_weights():
    first, second, other = objective(), objective(), objective()
    for run, seed in ((first, 0), (second, 0), (other, 1)):
        train(run, seed=seed)
    assert equal(weights(first.module), weights(second.module))
    assert not equal(weights(first.module), weights(other.module))


@pytest.mark.parametrize("epochs", [1, 2])
def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path, epochs):
    whole, first, second = objective(), objective(), objective(seed=7)
    history = train(whole)
    resume, said = Resume(tmp_path, "run"), []

    def interrupted(line):
        if line.startswith(f"epoch {epochs}/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(first, resume, report=interrupted)
    assert train(second, resume, report=said.append) == history
    assert said[0] == f"resuming after epoch {epochs} of 3"
    assert equal(weights(whole.module), weights(second.module))
    assert equal(whole.artifacts(), second.artifacts())


def test_a_loss_that_is_not_finite_is_named_and_not_saved(tmp_path):
    run, resume = objective(), Resume(tmp_path, "run")
    message = r"RdmObjective: loss is nan in epoch 1, step \d of 3, at lr \S+; try a smaller lr"
    with pytest.raises(PenumbraError, match=message):
        train(run, resume, lr=1e30, clip=None)
    assert not resume.path.exists()


def test_records_and_reports():
    said = []
    history = train(objective(), report=said.append)
    assert [record["epoch"] for record in history] == [0, 1, 2]
    assert said[2] == f"epoch 3/3  loss {history[2]['loss']:.4f}"
    assert history[1]["lr"] == pytest.approx(Recipe.of(RECIPE).rate(1 + 2 / 3))


def test_ema_follows_the_weights_and_lies_in_the_artifact():
    run = objective()
    train(run)
    state = run.artifacts()
    assert state["model_ema.num_updates"] == 9
    raw = state["model.diffusion_model.input_proj.weight"]
    average = state["model_ema.diffusion_modelinput_projweight"]
    assert not torch.equal(raw, average)
    again = Rdm.from_state(state)
    assert equal(again.state_dict(), run.module.state_dict())


def test_only_a_conditional_rdm_learns_its_classes():
    for conditional in (False, True):
        run = objective(conditional=conditional)
        before = run.rdm.cond_stage_model.embedding.weight.detach().clone()
        train(run, epochs=2)
        assert torch.equal(run.rdm.cond_stage_model.embedding.weight, before) != conditional


class Rows:
    """A quadratic whose batches are recorded."""

    def __init__(self, count, size=1.0):
        self.module = nn.Linear(2, 1)
        self.count, self.size = count, size
        self.seen, self.norms = [], []

    def __len__(self):
        return self.count

    def loss(self, rows, generator):
        self.seen.append(rows.tolist())
        return self.size * self.module(torch.ones(len(rows), 2)).square().mean()

    def after(self):
        squares = [p.grad.square().sum() for p in self.module.parameters()]
        self.norms.append(float(sum(squares)) ** 0.5)

    def artifacts(self):
        return self.module.state_dict()


def test_an_epoch_sees_full_batches_of_distinct_samples():
    rows = Rows(37)
    train(rows, batch_size=8, epochs=2)
    assert [len(batch) for batch in rows.seen] == [8] * 8
    first, second = ([row for batch in rows.seen[i : i + 4] for row in batch] for i in (0, 4))
    assert len(set(first)) == len(set(second)) == 32
    assert first != second
    few = Rows(5)
    train(few, epochs=2)
    assert [sorted(batch) for batch in few.seen] == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize(("clip", "bounded"), [(0.5, True), (None, False)])
def test_clip_bounds_the_gradients_norm(clip, bounded):
    torch.manual_seed(0)
    rows = Rows(16, size=1e3)
    train(rows, clip=clip, epochs=2)
    assert all(norm <= 0.5 + 1e-6 for norm in rows.norms) == bounded


def test_rate_rises_linearly_then_falls_to_zero():
    recipe = Recipe.of(RECIPE | {"epochs": 10, "lr": 1.0, "warmup_epochs": 2})
    assert [recipe.rate(e) for e in (0, 0.5, 1, 2)] == [0, 0.25, 0.5, 1]
    assert recipe.rate(6) == pytest.approx(0.5)
    assert recipe.rate(9.999) < 1e-6
    still = Recipe.of(RECIPE | {"warmup_epochs": 0, "schedule": "constant", "lr": 1.0})
    assert {still.rate(e) for e in (0, 1.5, 2.9)} == {1.0}


def test_bfloat16_trains_and_differs():
    low, full = objective(), objective()
    found, wanted = train(low, precision="bfloat16", epochs=2), train(full, epochs=2)
    assert found[-1]["loss"] == pytest.approx(wanted[-1]["loss"], rel=0.02)
    assert found[-1]["loss"] != wanted[-1]["loss"]
    assert all(p.dtype == torch.float32 for p in low.module.parameters())


def test_adamw_is_torchs():
    """Bit for bit what torch.optim.AdamW does, also for a parameter without a gradient."""

    def network():
        torch.manual_seed(0)
        return nn.ModuleList([nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3), nn.Linear(2, 2)])

    ours, theirs = network(), network()
    mine = AdamW(ours.parameters(), weight_decay=0.1, betas=(0.9, 0.95))
    reference = torch.optim.AdamW(
        theirs.parameters(), lr=1.0, weight_decay=0.1, betas=(0.9, 0.95), fused=True
    )
    x = torch.randn(5, 8)
    for rate in (0.1, 0.1, 0.01, 0.0):
        mine.rate = reference.param_groups[0]["lr"] = rate
        for model, optimiser in ((ours, mine), (theirs, reference)):
            optimiser.zero_grad()
            first, norm, last, _ = model
            last(norm(first(x))).square().sum().backward()
            optimiser.step()
    assert equal(weights(ours), weights(theirs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
        ({"warmup_epochs": 3}, "the warm-up must end"),
        ({"batch_size": 0}, "batch_size is 0, not at least 2"),
    ],
)
def test_a_bad_recipe_is_refused(changes, message):
    with pytest.raises(PenumbraError, match=message):
        train(objective(), **changes)


def test_a_missing_key_is_named():
    lean = {key: value for key, value in RECIPE.items() if key not in ("lr", "epochs")}
    with pytest.raises(PenumbraError, match="no epochs, lr; there is no default"):
        fit(objective(), lean, 0, None, lambda _: None)


def test_no_samples_are_refused():
    with pytest.raises(PenumbraError, match="Rows: no samples"):
        train(Rows(0))


def test_representations_must_fit():
    rdm = Rdm(64, 32, 16, 1, 32, 8, classes=10, conditional=True)
    x, y = digits(20)
    for given, message in (
        ((x[:, :60], y), r"takes representations \(N, 64\), got \(20, 60\)"),
        ((2 * x, y), "20 of 20 representations are not standardised"),
        ((x, y[:5]), "20 representations have 5 labels"),
        ((x, None), "got no labels"),
        ((x, y + 1), "labels reach from 1 to 10"),
    ):
        with pytest.raises(PenumbraError, match=message):
            RdmObjective(rdm, *given)
