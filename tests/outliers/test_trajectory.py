"""Guided sampling: draws that belong to samples, the gradient, every switch, bad input."""

import dataclasses

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks import graphs
from penumbra.networks.generative.denoiser import Denoiser
from penumbra.outliers.guidance import Guidance, largest, minority
from penumbra.outliers.trajectory import Draws, Sampler, noise
from tests.networks import tape
from tests.networks.test_rdm import small

WIDTH = 12
BASE = Guidance(0.05, start=100, grid=50)


def anchors(count, seed=0):
    z = torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))
    return (z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True)


def sampler(guidance=BASE, dtype=torch.float32, **options):
    return Sampler(small(**options).to(dtype), guidance)


def test_draws_follow_from_a_samples_own_seed():
    seeds = [5, 2**63 - 1, 5 + 2**32, 0]
    together = noise(seeds, 3, 7)
    for seed, drawn in zip(seeds, together, strict=True):
        assert torch.equal(noise([seed], 3, 7)[0], drawn)
    assert not torch.isclose(together[0], together[2]).any()  # all 64 bits of a seed count
    torch.set_num_threads(3)
    assert torch.equal(noise(seeds, 3, 7), together)
    torch.set_num_threads(1)


def test_draws_are_unit_normals():
    drawn = noise(range(400), 20, 50).double()
    assert abs(drawn.mean()) < 5 / 400_000**0.5
    assert abs(drawn.var() - 1) < 5 * (2 / 400_000) ** 0.5
    assert abs((drawn.abs() < 1).double().mean() - 0.682689) < 5 * (0.2166 / 400_000) ** 0.5
    neighbours = (drawn[:-1] * drawn[1:]).mean()
    assert abs(neighbours) < 5 / 400_000**0.5


VARIANTS = {
    "default": {},
    "unguided": {"direction": "none"},
    "gaussian": {"direction": "gaussian"},
    "gaussian-raw": {"direction": "gaussian", "normalise": "raw"},
    "raw": {"normalise": "raw"},
    "var": {"update": "var"},
    "score": {"update": "score"},
    "every": {"every": 3},
    "eta": {"eta": 1.0},
    "samples": {"samples": 3},
    "full": {"stop_gradient": False},
    "l1": {"distance": "l1"},
    "oneshot": {"mode": "oneshot"},
}


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("conditional", [False, True])
def test_an_outlier_does_not_depend_on_its_batch(changes, conditional):
    """float32: equal but for the order of sums in the products."""
    run = sampler(dataclasses.replace(BASE, **changes), conditional=conditional)
    z, seeds, labels = anchors(64), list(range(100, 164)), torch.arange(64) % 5
    whole = run.sample(z, seeds, labels, batch_size=64)
    for size in (1, 7):
        parts = run.sample(z[:21], seeds[:21], labels[:21], batch_size=size)
        torch.testing.assert_close(parts, whole[:21], rtol=1e-5, atol=1e-5)
    assert torch.equal(run.sample(z, seeds, labels, batch_size=64), whole)


def test_every_variant_gives_other_outliers():
    found = {
        name: sampler(dataclasses.replace(BASE, **changes)).sample(anchors(2), [1, 2])
        for name, changes in VARIANTS.items()
    }
    names = list(found)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert not torch.equal(found[first], found[second]), (first, second)


@pytest.mark.parametrize("distance", ["l1", "l2", "sql2"])
@pytest.mark.parametrize("stop", [False, True])
def test_gradient_is_the_slope_of_the_score(distance, stop):
    guidance = dataclasses.replace(BASE, distance=distance, stop_gradient=stop, samples=2)
    run = sampler(guidance, torch.float64)
    z, eps = anchors(4).double(), torch.randn(2, 4, WIDTH).double()
    t, estimate, schedule = run.steps[0].t, run.estimate(), run.schedule
    x0, score, gradient = minority(estimate, schedule, guidance, z, t, eps)
    again = [estimate(schedule.noised(x0, guidance.perturb, e), guidance.perturb) for e in eps]

    def value(z):
        if not stop:
            return minority(estimate, schedule, guidance, z, t, eps)[1]
        order = 1 if distance == "l1" else 2
        norms = [torch.linalg.vector_norm(estimate(z, t) - a, order, dim=1) for a in again]
        return sum(n**2 if distance == "sql2" else n for n in norms) / 2

    torch.testing.assert_close(value(z), score)
    way, h = torch.randn(4, WIDTH).double(), 1e-5
    slope = (value(z + h * way) - value(z - h * way)) / (2 * h)
    torch.testing.assert_close((gradient * way).sum(1), slope, rtol=1e-6, atol=1e-8)


def test_a_guided_step_runs_the_network_twice(monkeypatch):
    calls = []
    original = Denoiser.estimate
    monkeypatch.setattr(
        Denoiser, "estimate", lambda self, *given: calls.append(1) or original(self, *given)
    )
    run = sampler()
    run.sample(anchors(2), [1, 2])
    assert len(calls) == 2 * len(run.steps)
    calls.clear()
    run = sampler(dataclasses.replace(BASE, every=3))
    guided = sum(i % 3 == 0 for i in range(len(run.steps)))
    run.sample(anchors(2), [1, 2])
    assert len(calls) == len(run.steps) + guided


def single(guidance):
    """The last grid step alone, guided, and what it would be unguided; its gradient."""
    run = sampler(dataclasses.replace(guidance, start=0), torch.float64)
    assert [step.t for step in run.steps] == [1]
    draws = run.draws([1, 2, 3])
    z = anchors(3).double()
    (moved, _), = run.states(z, draws)  # fmt: skip
    still = sampler(dataclasses.replace(guidance, start=0, direction="none"), torch.float64)
    (plain, _), = still.states(z, draws)  # fmt: skip
    again = torch.zeros(1, 3, WIDTH).double() if draws.again.numel() == 0 else draws.again[0]
    _, _, gradient = minority(run.estimate(), run.schedule, guidance, z, 1, again)
    return moved - plain, gradient, run.steps[0], draws


def test_moves_by_scale_along_the_normalised_gradient():
    move, gradient, _, _ = single(BASE)
    torch.testing.assert_close(move, 0.05 * gradient / largest(gradient))
    torch.testing.assert_close(largest(move), torch.full((3, 1), 0.05).double())


def test_raw_moves_by_the_gradient_itself():
    move, gradient, _, _ = single(dataclasses.replace(BASE, normalise="raw"))
    torch.testing.assert_close(move, 0.05 * gradient)


def test_var_moves_by_the_steps_variance():
    move, gradient, step, _ = single(dataclasses.replace(BASE, update="var"))
    torch.testing.assert_close(move, 0.05 * step.variance * gradient / largest(gradient))


@pytest.mark.parametrize("normalise", ["inf", "raw"])
def test_gaussian_moves_are_as_large_as_the_gradients(normalise):
    guidance = dataclasses.replace(BASE, direction="gaussian", normalise=normalise)
    move, gradient, _, draws = single(guidance)
    size = largest(gradient) if normalise == "raw" else 1.0
    torch.testing.assert_close(largest(move), 0.05 * size * torch.ones(3, 1).double())
    torch.testing.assert_close(move / largest(move), draws.push[0] / largest(draws.push[0]))


def test_ddims_own_noise_is_sigma_times_its_draw():
    run = sampler(dataclasses.replace(BASE, direction="none", eta=1.0))
    z, draws = anchors(2), run.draws([1, 2])
    silent = dataclasses.replace(draws, fresh=torch.zeros_like(draws.fresh))
    (first, _), (without, _) = next(run.states(z, draws)), next(run.states(z, silent))
    torch.testing.assert_close(first - without, run.steps[0].sigma * draws.fresh[0])


def test_oneshot_moves_once_and_estimates():
    once = dataclasses.replace(BASE, mode="oneshot", start=300)
    run = sampler(once, torch.float64)
    z0, draws = anchors(3).double(), run.draws([1, 2, 3])
    z = run.schedule.noised(z0, 300, draws.start)
    _, _, gradient = minority(run.estimate(), run.schedule, once, z, 300, draws.again[0])
    wanted = run.estimate()(z + 0.05 * gradient / largest(gradient), 300)
    torch.testing.assert_close(run.denoise(z0, draws), wanted)


def test_scale_zero_is_no_guidance():
    z, draws = anchors(3), sampler().draws([1, 2, 3])
    zero = sampler(dataclasses.replace(BASE, scale=0.0))
    none = sampler(dataclasses.replace(BASE, direction="none"))
    assert torch.equal(zero.denoise(z, draws), none.denoise(z, draws))


def test_a_flat_score_moves_nothing():
    """The estimate of an untrained network is zero everywhere: no direction, no NaN."""
    run = sampler()
    run.denoiser.out[2].weight.zero_()
    run.denoiser.out[2].bias.zero_()
    z, draws = anchors(3), run.draws([1, 2, 3])
    none = sampler(dataclasses.replace(BASE, direction="none"))
    none.denoiser = run.denoiser
    assert torch.equal(run.denoise(z, draws), none.denoise(z, draws))


@pytest.mark.parametrize(("start", "first", "count"), [(300, 301, 76), (400, 401, 101), (0, 1, 1)])
def test_a_trajectory_starts_at_the_nearest_grid_step(start, first, count):
    steps = sampler(Guidance(0.05, start=start)).steps
    assert (steps[0].t, len(steps), steps[-1].t) == (first, count, 1)


def test_classes_matter_to_a_conditional_rdm_only():
    z, first, second = anchors(2), torch.tensor([0, 1]), torch.tensor([2, 3])
    for conditional in (False, True):
        run = sampler(conditional=conditional)
        found = [run.sample(z, [1, 2], labels) for labels in (first, second)]
        assert torch.equal(*found) != conditional


def test_nothing_is_left_on_the_weights():
    run = sampler(conditional=True)
    found = run.sample(anchors(2), [1, 2], torch.tensor([0, 1]))
    assert not found.requires_grad
    assert all(p.grad is None for p in [*run.rdm.parameters(), *run.denoiser.parameters()])


def test_the_network_may_run_in_bfloat16():
    rdm = small()
    low, full = Sampler(rdm, BASE, torch.bfloat16), Sampler(rdm, BASE)
    assert low.denoiser.input_proj.weight.dtype == torch.bfloat16
    found, wanted = (run.sample(anchors(8), range(8)) for run in (low, full))
    assert found.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(found, wanted).min() > 0.98


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "minorty"}, "did you mean 'minority'"),
        ({"update": "variance"}, "guidance: unknown update 'variance'"),
        ({"distance": "l3"}, "guidance: unknown distance"),
        ({"normalise": "l2"}, "guidance: unknown normalise"),
        ({"mode": "one-shot"}, "did you mean 'oneshot'"),
        ({"every": 0}, "every is 0, not at least 1"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"eta": 2.0}, "DDIM's noise ends at eta 1"),
        ({"mode": "oneshot", "update": "var"}, "needs the steps of a trajectory"),
        ({"grid": 300}, "no DDIM grid of 300 steps"),
        ({"start": 1000}, "start is 1000, beyond"),
        ({"perturb": 1000}, "perturb is 1000, beyond"),
    ],
)
def test_a_bad_recipe_is_refused(changes, message):
    with pytest.raises(PenumbraError, match=message):
        sampler(dataclasses.replace(BASE, **changes))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((torch.zeros(2, 13), [1, 2]), r"anchors \(N, 12\), N ≥ 1, got \(2, 13\)"),
        ((torch.zeros(0, 12), []), r"got \(0, 12\)"),
        ((anchors(2), [1]), "2 anchors have 1 seeds"),
        ((anchors(2), [1, 2]), "got no labels"),
        ((anchors(2), [1, 2], torch.tensor([0])), "2 anchors have 1 labels"),
        ((anchors(2), [1, 2], torch.tensor([0, 5])), "labels reach from 0 to 5"),
    ],
)
def test_bad_input_is_refused(given, message):
    with pytest.raises(PenumbraError, match=message):
        sampler(conditional=True).sample(*given)


def test_outliers_that_are_not_finite_are_refused():
    with pytest.raises(PenumbraError, match="take a smaller scale"):
        sampler(dataclasses.replace(BASE, scale=1e38)).sample(anchors(2), [1, 2])


def test_explicit_draws_are_what_is_used():
    run = sampler()
    z, draws = anchors(2), run.draws([3, 4])
    assert torch.equal(run.denoise(z, draws), run.sample(z, [3, 4]))
    other = Draws(draws.start, torch.zeros_like(draws.again))
    assert not torch.equal(run.denoise(z, other), run.denoise(z, draws))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("conditional", [False, True])
def test_replayed_batches_are_the_called_ones(changes, conditional, monkeypatch):
    rdm, labels = small(conditional=conditional), torch.arange(24) % 3 if conditional else None
    recipe = dataclasses.replace(BASE, **changes)
    called, replayed = (Sampler(rdm, recipe, graphs=on) for on in (False, True))
    replays = []

    class Counted(tape.Capture):
        def __init__(self, work, inputs):
            super().__init__(work, inputs, [])

        def replay(self, inputs):
            replays.append(len(inputs))
            return super().replay(inputs)

    monkeypatch.setattr(graphs, "_Capture", Counted)
    given = (anchors(24), range(24), labels, 4)
    assert torch.equal(replayed.sample(*given), called.sample(*given))
    assert len(replays) == 3
