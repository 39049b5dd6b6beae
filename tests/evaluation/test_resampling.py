"""How sure numbers are: the draws, their agreement with DeLong, and what intervals hold."""

import numpy as np
import pytest

from penumbra.evaluation.compared import Compared
from penumbra.evaluation.comparisons import Group
from penumbra.evaluation.intervals import Interval, Sample, interval
from penumbra.evaluation.metrics import measured, metrics
from penumbra.evaluation.moderation import NONE, prior
from penumbra.evaluation.resampling import DRAWS, image_draws


def test_draws_are_those_of_the_sets_name():
    first = image_draws("faces", 40)
    assert first.shape == (DRAWS, 40)
    assert (first.sum(1) == 40).all()
    assert np.array_equal(first, image_draws("faces", 40))
    assert not np.array_equal(first, image_draws("textures", 40))


def test_metrics_of_draws_are_those_of_the_images_drawn():
    rng = np.random.default_rng(0)
    inliers, outliers = rng.normal(1, 1, 60).round(1), rng.normal(0, 1, 30).round(1)
    drawn = image_draws("id", 60), image_draws("ood", 30)
    of = Compared(inliers, outliers, "x", drawn)
    together = measured(of, of)
    for draw in range(0, DRAWS, 9):
        alone = metrics(np.repeat(inliers, drawn[0][draw]), np.repeat(outliers, drawn[1][draw]))
        for name, values in together.items():
            assert values[draw] == pytest.approx(alone[name], abs=1e-12), name


def delong(inliers, outliers):
    """Variance of one AUROC (DeLong, DeLong & Clarke-Pearson 1988)."""
    wins = (inliers[:, None] > outliers) + 0.5 * (inliers[:, None] == outliers)
    return wins.mean(1).var(ddof=1) / len(inliers) + wins.mean(0).var(ddof=1) / len(outliers)


def test_delong_agrees():
    rng = np.random.default_rng(1)
    ratios = []
    for i in range(12):
        inliers, outliers = rng.normal(1, 1, 300), rng.normal(0, 1, 200)
        drawn = image_draws(f"id{i}", 300), image_draws(f"ood{i}", 200)
        of = Compared(inliers, outliers, "x", drawn)
        ratios.append(measured(of, of)["auroc"].var(ddof=1) / delong(inliers, outliers))
    assert np.mean(ratios) == pytest.approx(1, abs=0.12)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Values with an effect of the seed and one of the images, which all seeds share."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(600):
        images = rng.normal(0, 0.02)
        values = 0.8 + images + rng.normal(0, 0.03, 3)
        draws = values[:, None] + rng.normal(0, 0.02, DRAWS)
        low, high = interval(Sample(values, draws)).bounds(0.95)
        held += low < 0.8 < high
    assert 0.93 < held / 600 < 0.995


def test_one_seed_speaks_of_images_alone():
    draws = np.random.default_rng(3).normal(0.5, 0.1, (1, DRAWS))
    low, high = interval(Sample(np.array([0.5]), draws)).bounds(0.95)
    assert high - low == pytest.approx(2 * 1.98 * draws.std(ddof=1), rel=0.01)
    assert interval(Sample(np.array([np.nan]), draws)) is None


def test_what_rows_share_cancels_in_their_difference():
    shared = np.random.default_rng(4).normal(0, 0.1, (1, DRAWS))
    one, other = (Sample(np.array([v]), v + shared) for v in (0.9, 0.8))
    assert interval(one.less(other)).error < 1e-12
    assert interval(one.less(other)).p_value() < 1e-6
    assert interval(one).error == pytest.approx(0.1, rel=0.2)
    assert Interval(0.1, 0.0, np.inf).p_value() == 1  # nothing says how it scatters


def test_several_comparisons_are_held_together():
    """Benjamini and Hochberg: the k-th smallest of six p-values stands up to k/6 of the level."""
    group = Group([Sample(np.full(1, v), np.full((1, DRAWS), v)) for v in (0.9, 0.8, 0.7, 0.6)])
    p_values = dict(zip(group.pairs, [0.001, 0.016, 0.024, 0.3, 0.5, 0.9], strict=True))
    group.p_value = lambda one, other: p_values[one, other]
    assert group.apart(0.95) == {(0, 1), (0, 2), (0, 3)}
    p_values[0, 3] = 0.026
    assert group.apart(0.95) == {(0, 1), (0, 2)}
    assert Group(group.samples[:1]).apart(0.95) == set()


@pytest.mark.parametrize("spread", [0.0, 0.6])
@pytest.mark.parametrize("rows", [2, 4, 5, 20])
def test_rows_that_are_equal_are_rarely_told_apart(rows, spread):
    """Three seeds, rows of one true value: in at most one of twenty tables some pair falls.

    Rows scatter alike, or by factors of each other.
    """
    rng = np.random.default_rng(rows)
    wrong = 0
    for _ in range(200):
        own = 0.02 * np.exp(spread * rng.standard_normal((rows, 1)))
        values = 0.8 + own * rng.standard_normal((rows, 3)) + rng.normal(0, 0.02, (1, 3))
        draws = values[:, :, None] + rng.normal(0, 0.002, (rows, 1, DRAWS))
        group = Group([Sample(*pair) for pair in zip(values, draws, strict=True)])
        wrong += bool(group.apart(0.95))
    assert wrong / 200 < 0.1


def test_moderation_tells_apart_what_three_seeds_alone_do_not():
    rng = np.random.default_rng(5)
    truth = np.array([0.5, 0.5, 0.6, 0.7, 0.7, 0.7])
    values = truth[:, None] + rng.normal(0, 0.02, (6, 3))
    samples = [Sample(v, v[:, None] + np.zeros((3, DRAWS))) for v in values]
    group = Group(samples)
    apart = group.apart(0.95)
    assert {(i, j) for i in (0, 1) for j in (3, 4, 5)} <= apart
    assert not apart & {(0, 1), (3, 4), (3, 5), (4, 5)}
    group.prior = NONE
    assert len(group.apart(0.95)) < len(apart)


def test_a_prior_is_that_of_the_variances():
    """Variances drawn as Smyth has them give back his two numbers."""
    rng = np.random.default_rng(6)
    d0, s0, d = 8.0, 0.3, 2
    true = s0 * d0 / rng.chisquare(d0, 20_000)
    found = prior(true * rng.chisquare(d, 20_000) / d, d, 100.0)
    assert found.freedom == pytest.approx(d0, rel=0.15)
    assert found.variance == pytest.approx(s0, rel=0.05)
    assert found.moderated(0.0, 2) == pytest.approx(
        (found.freedom * found.variance / (found.freedom + 2), found.freedom + 2)
    )
    alike = prior(s0 * rng.chisquare(d, 20) / d, d, 5.0)
    assert alike.freedom <= 5
    assert prior(np.array([0.1, 0.2, 0.0, 0.0, 0.0, 0.0]), 2, 5.0) == NONE
