"""Conformal bounds: against their definition, what they hold, and that more images narrow them."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm

from penumbra.evaluation import conformal
from penumbra.evaluation.detection import detection
from penumbra.evaluation.metrics import METRICS, bounds, metrics

VALUES = st.integers(-4, 4).map(float)  # few distinct values make ties
SCORES = arrays(np.float64, st.integers(1, 60), elements=VALUES)


def most(flagged, count):
    """The upper end of P(X <= y) where `flagged` of the scores are, as Bates et al. write it."""
    i, miss = flagged + 1, 0.0125
    if i > count:
        return 1.0
    dkwm = min(1, i / count + math.sqrt(math.log(1 / miss) / (2 * count)))
    k, last = max(1, count // 2), count + 1 - i
    shares = math.prod(max(last - j, 0) / (count - j) for j in range(k))
    return min(dkwm, 1 - (miss * shares) ** (1 / k))


def least(flagged, count):
    """The lower end: the upper one of -X."""
    return 1 - most(count - flagged, count)


@given(SCORES, SCORES)
def test_auroc_by_definition(inliers, outliers):
    count = len(inliers)
    lows, highs = [], []
    for y in outliers:
        below, up_to = (inliers < y).sum(), (inliers <= y).sum()
        lows.append(1 - (most(below, count) + most(up_to, count)) / 2)
        highs.append(1 - (least(below, count) + least(up_to, count)) / 2)
    found = conformal.auroc(inliers, outliers)
    assert found == pytest.approx((np.mean(lows), np.mean(highs)), abs=1e-9)
    assert found[0] <= metrics(inliers, outliers)["auroc"] <= found[1]


@given(SCORES, SCORES)
def test_fpr_by_definition(inliers, outliers):
    """Over all thresholds: where the recall is surely 95 %, or surely no more."""
    count, rates_over, rates_under = len(inliers), [1.0], [0.0]
    for threshold in inliers:
        if most((inliers < threshold).sum(), count) <= 0.05:
            rates_over.append((outliers >= threshold).mean())
        if least((inliers <= threshold).sum(), count) >= 0.05:
            rates_under.append((outliers > threshold).mean())
    found = conformal.fpr(inliers, outliers, 0.95)
    assert found == pytest.approx((max(rates_under), min(rates_over)), abs=1e-9)


@given(SCORES, SCORES)
def test_fpr_with_ood_positive_by_definition(inliers, outliers):
    threshold = min(y for y in outliers if (outliers <= y).mean() >= 0.95)
    flagged, count = (inliers <= threshold).sum(), len(inliers)
    found = conformal.fpr_ood_positive(inliers, outliers, 0.95)
    assert found == pytest.approx((least(flagged, count), most(flagged, count)), abs=1e-9)
    assert found[0] <= metrics(inliers, outliers)["fpr95_ood_positive"] <= found[1]


@pytest.mark.parametrize("count", [1, 2, 30, 300])
def test_the_band_holds_at_all_scores_at_once(count):
    """Of uniform scores the probability of one below y is y; 95 % is wanted, at little surplus."""
    rng = np.random.default_rng(count)
    low, high = conformal.band(count)
    assert (np.diff(high) >= 0).all()
    drawn = np.sort(rng.random((4000, count)), axis=1)
    holds = ((drawn <= high[:-1]) & (drawn >= low[1:])).all(axis=1).mean()
    assert 0.95 - 0.007 < holds < 0.985


def test_bounds_hold_the_truth():
    """Normal scores: AUROC and FPR of an endless number of ID images, the OOD images given."""
    rng = np.random.default_rng(0)
    outliers = rng.normal(0, 1, 200)
    shares = np.sort(outliers)
    truths = {
        "auroc": norm.cdf(2 - outliers).mean(),
        "fpr95": (outliers >= norm.ppf(0.05, 2)).mean(),
        "fpr95_ood_positive": norm.cdf(shares[189] - 2),
    }
    held = dict.fromkeys(truths, 0)
    for _ in range(300):
        inliers = rng.normal(2, 1, 150)
        found = bounds(inliers, outliers)
        for name, truth in truths.items():
            held[name] += found[f"{name}_conformal_low"] <= truth <= found[f"{name}_conformal_high"]
    assert min(held.values()) >= 0.95 * 300


def test_more_images_narrow_the_bounds():
    outliers = norm.ppf((np.arange(400) + 0.5) / 400)
    found = [
        bounds(norm.ppf((np.arange(count) + 0.5) / count, 2), outliers)
        for count in (40, 160, 640, 2560, 10240)
    ]
    for name in ("auroc", "fpr95", "fpr95_ood_positive"):
        ends = [(one[f"{name}_conformal_low"], one[f"{name}_conformal_high"]) for one in found]
        for (low, high), (closer_low, closer_high) in pairwise(ends):
            assert low <= closer_low <= closer_high <= high, name
        assert ends[-1][1] - ends[-1][0] < 0.2 * (ends[0][1] - ends[0][0])


def test_metrics_keep_them_beside_the_value():
    rng = np.random.default_rng(1)
    inliers, outliers = rng.normal(1, 1, 30), rng.normal(0, 1, 20)
    scores = {"digits": inliers, "faces": outliers}
    ((row, draws),) = detection("msp", scores, {"digits": "test", "faces": "ood"})
    found = bounds(inliers, outliers)
    assert {name: row[name] for name in found} == found
    assert not found.keys() & draws.keys()


def test_which_metrics_have_bounds():
    with_bounds = [name for name, metric in METRICS.items() if metric.bounds]
    assert with_bounds == ["auroc", "fpr95", "fpr95_ood_positive"]
    found = bounds(np.array([1.0, np.inf]), np.array([-np.inf, 0.0]))
    assert list(found) == [f"{n}_conformal_{end}" for n in with_bounds for end in ("low", "high")]
    assert all(0 <= value <= 1 for value in found.values())
