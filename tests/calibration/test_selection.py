"""The filter and cross-fitted judges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from penumbra.calibration import crossfit
from penumbra.calibration.selection import Filter, histogram, select
from penumbra.errors import PenumbraError

COUNT = 200
KEYS = [f"shard-{i % 3}/{i}" for i in range(COUNT)]
BAND = Filter("band")


def spread(low, high):
    return np.linspace(low, high, COUNT)


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.5), (0, 0.5), (0.3, 1)])
def test_band_holds_its_ends(low, high):
    q = np.array([low, (low + high) / 2, high, max(low - 1e-9, 0), min(high + 1e-9, 1)])
    kept = select("abcde", q, Filter("band", low=low, high=high), 0).kept
    assert kept.tolist() == [True, True, True, low == 0, high == 1]


@pytest.mark.parametrize(
    ("q", "note"),
    [
        (spread(0, 1), None),
        (spread(0.31, 0.49), "200 of 200 outliers (100.0%)"),
        (spread(0.48, 1), "8 of 200 outliers (4.0%)"),
    ],
)
def test_unusual_shares_are_noted_beside_the_papers(q, note):
    found = select(KEYS, q, BAND, 0).note
    assert found is None if note is None else (note in found and "the paper kept 80%" in found)


def test_an_empty_band_is_an_error_that_shows_q_and_the_ways_out():
    q = np.r_[np.full(COUNT - 3, 0.02), 0.4, 0.9, 0.9]
    with pytest.raises(PenumbraError) as caught:
        select(KEYS, q, BAND, 0)
    text = str(caught.value)
    assert "1 of 200 outliers (0.5%) lie in 0.3 ≤ q ≤ 0.5" in text
    assert "0.00–0.05: 197, 0.40–0.45: 1, 0.90–0.95: 2" in text
    for switch in ("quantile", "judges of folds", "uniform", "sigmoid_phi"):
        assert switch in text


@given(
    arrays(np.float64, 40, elements=st.one_of(st.sampled_from([0.0, 0.5]), st.floats(0, 1))),
    st.floats(0.05, 1),
    st.randoms(),
)
def test_quantile_keeps_the_share_whatever_the_order(q, keep, random):
    options, keys = Filter("quantile", keep=keep), list(range(40))
    found = select(keys, q, options, 1)
    assert found.kept.sum() == max(1, round(keep * 40))
    inside, outside = q[found.kept], q[~found.kept]
    assert not ((outside > inside.min()) & (outside < inside.max())).any()
    assert abs((outside < inside.min()).sum() - (outside > inside.max()).sum()) <= 1 or (
        "by lot" in found.note
    )
    order = random.sample(keys, 40)
    again = select(order, q[order], options, 1)
    assert np.array_equal(again.kept, found.kept[order])


def test_random_belongs_to_keys():
    found = select(KEYS, None, Filter("random", keep=0.3), 5).kept
    assert found.sum() == 60
    order = np.random.default_rng(0).permutation(COUNT)
    again = select([KEYS[i] for i in order], None, Filter("random", count=60), 5).kept
    assert np.array_equal(again, found[order])
    more = select(KEYS, None, Filter("random", keep=0.6), 5).kept
    assert (more | ~found).all()  # the same draws: a larger share contains the smaller
    assert not np.array_equal(select(KEYS, None, Filter("random", keep=0.3), 6).kept, found)


def test_random_ignores_q_but_counts_it():
    q = spread(0, 1)
    found = select(KEYS, q, Filter("random"), 5)
    assert np.array_equal(found.kept, select(KEYS, None, Filter("random"), 5).kept)
    assert sum(row["count"] for row in found.histogram) == COUNT


def test_histogram():
    rows = histogram(np.array([0, 0.049, 0.31, 1]))
    assert len(rows) == 20
    assert {round(row["low"], 2): row["count"] for row in rows if row["count"]} == {
        0: 2,
        0.3: 1,
        0.95: 1,
    }


@pytest.mark.parametrize(
    ("keys", "q", "options", "message"),
    [
        ([], np.empty(0), BAND, "no outliers"),
        (KEYS[:2], np.array([0.4, np.nan]), BAND, r"1 of 2 .* 'shard-1/1' \(nan\)"),
        (KEYS[:2], np.array([1.1, 0.4]), BAND, r"first 'shard-0/0' \(1.1\)"),
        (KEYS[:3], np.array([0.4, 0.4]), BAND, "scores of 3 outliers"),
        (KEYS, None, BAND, "name judges, or mode random"),
        (["x", "x"], None, Filter("random"), "'x' names 2 samples"),
        (KEYS, None, Filter("random", count=201), "201 of 200 outliers"),
    ],
)
def test_bad_outliers_are_refused(keys, q, options, message):
    with pytest.raises(PenumbraError, match=message):
        select(keys, q, options, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "bands"}, "did you mean 'band'"),
        ({"mode": "band", "low": 0.5, "high": 0.3}, "band 0.5 to 0.3"),
        ({"mode": "quantile", "keep": 0}, "keep is 0, not in"),
        ({"mode": "band", "least": 2}, "least is 2, not in"),
        ({"mode": "random", "count": 0}, "count is 0, not at least 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(PenumbraError, match=message):
        Filter(**options)


def test_folds_belong_to_keys_and_are_even():
    folds = crossfit.fold_of(KEYS, 4)
    assert np.array_equal(crossfit.fold_of(KEYS[50:90], 4), folds[50:90])
    assert np.bincount(folds, minlength=4).min() > COUNT / 8
    with pytest.raises(PenumbraError, match="1 folds"):
        crossfit.fold_of(KEYS, 1)


def shares(q, folds=3):
    numbers = crossfit.fold_of(KEYS, folds)
    for fold in range(folds):
        rows = np.flatnonzero(numbers == fold)[::-1]
        yield f"judge-{fold}", ([KEYS[i] for i in rows], q[rows])


def test_judges_are_joined_in_the_outliers_order():
    q = spread(0, 1)
    assert np.array_equal(crossfit.join(KEYS, dict(shares(q))), q)


def test_every_outlier_is_scored_exactly_once():
    judged = dict(shares(spread(0, 1)))
    fewer = {name: share for name, share in judged.items() if name != "judge-1"}
    with pytest.raises(PenumbraError, match=r"of 200 outliers .* \(judges: judge-0, judge-2\)"):
        crossfit.join(KEYS, fewer)
    twice = {**judged, "again": judged["judge-2"]}
    with pytest.raises(PenumbraError, match="by judges judge-2 and again"):
        crossfit.join(KEYS, twice)
    with pytest.raises(PenumbraError, match="'alien', no outlier of this set"):
        crossfit.join(KEYS, {**judged, "other": (["alien"], np.zeros(1))})
    with pytest.raises(PenumbraError, match="judge short: 1 scores of 2"):
        crossfit.join(KEYS, {"short": (KEYS[:2], np.zeros(1))})


def test_a_judge_is_asked_about_the_fold_that_it_did_not_train_on_alone():
    values = [spread(0, 1), spread(0.2, 0.8)]
    scored = [(f"judge-{i}", (i, 2), KEYS, q) for i, q in enumerate(values)]
    names, q = crossfit.judged(scored)
    folds = crossfit.fold_of(KEYS, 2)
    assert names == list(KEYS)
    assert np.array_equal(q, np.where(folds == 0, *values))
    assert np.array_equal(crossfit.judged([("all", None, KEYS, values[0])])[1], values[0])
