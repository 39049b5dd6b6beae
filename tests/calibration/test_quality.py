"""Calibration quality against direct computation and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import brier_score_loss, log_loss

from penumbra.calibration import quality
from penumbra.calibration.maps import beta
from penumbra.errors import PenumbraError

# Multiples of 1/15 lie on the edges of the bins.
PROBABILITIES = st.one_of(st.integers(0, 15).map(lambda k: k / 15), st.floats(0, 1))


@st.composite
def judged(draw):
    q = draw(arrays(np.float64, st.integers(1, 60), elements=PROBABILITIES))
    return q, draw(arrays(bool, len(q)))


def sample():
    rng = np.random.default_rng(0)
    is_id = rng.random(400) < 0.4
    return np.where(is_id, rng.normal(-3, 2, 400), rng.normal(0, 2, 400)), is_id


@settings(deadline=None, max_examples=50)
@given(judged())
def test_ece_of_equal_widths(data):
    q, is_id = data
    edges, wanted = np.linspace(0, 1, 16), 0.0
    for k in range(15):
        inside = (q > edges[k]) & (q <= edges[k + 1]) | ((k == 0) & (q == 0))
        if inside.any():
            wanted += inside.mean() * abs(q[inside].mean() - is_id[inside].mean())
    assert quality.ece(quality.reliability(q, is_id)) == pytest.approx(wanted, abs=1e-12)


def test_ece_of_equal_masses():
    rng = np.random.default_rng(0)
    q = rng.random(150) ** 3
    is_id = rng.random(150) < 0.5
    chunks = np.split(np.argsort(q), 15)
    wanted = np.mean([abs(q[rows].mean() - is_id[rows].mean()) for rows in chunks])
    rows = quality.reliability(q, is_id, "mass")
    assert [row["count"] for row in rows] == [10] * 15
    assert quality.ece(rows) == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None, max_examples=50)
@given(judged(), st.sampled_from(quality.BINNINGS))
def test_every_probability_is_in_one_bin(data, binning):
    q, is_id = data
    rows = quality.reliability(q, is_id, binning)
    assert sum(row["count"] for row in rows) == len(q)
    assert sum(row["count"] * row["frequency"] for row in rows) == pytest.approx(is_id.sum())
    for row in rows:
        assert row["low"] - 1e-12 <= row["confidence"] <= row["high"] + 1e-12


@settings(deadline=None, max_examples=50)
@given(judged())
def test_brier_and_nll_are_scikit_learns(data):
    q, is_id = data
    found = quality.quality(q, is_id)
    assert found["brier"] == pytest.approx(brier_score_loss(is_id, q), abs=1e-12)
    assert found["nll"] == pytest.approx(log_loss(is_id, q, labels=[False, True]), abs=1e-9)


def test_a_perfect_and_a_constant_judge():
    is_id = np.array([True, False, False, False])
    perfect = quality.quality(is_id.astype(float), is_id)
    assert max(map(abs, perfect.values())) < 1e-12
    constant = quality.quality(np.full(4, 0.25), is_id)
    assert constant["ece_width"] == constant["ece_mass"] == 0
    assert constant["brier"] == pytest.approx(3 / 16)


def test_held_out_halves_belong_to_keys():
    energy, is_id = sample()
    keys = [f"set/{i}" for i in range(len(energy))]
    order = np.random.default_rng(1).permutation(len(keys))
    seen = []

    def fit(energy, is_id):
        seen.append((len(energy), is_id.sum()))
        return beta.fit(energy, is_id)

    found = quality.held_out(keys, energy, is_id, fit, beta.probability, 3)
    shuffled = [keys[i] for i in order]
    again = quality.held_out(shuffled, energy[order], is_id[order], beta.fit, beta.probability, 3)
    assert again == pytest.approx(found, abs=1e-9)
    assert seen == [(is_id.sum() // 2 + (~is_id).sum() // 2, is_id.sum() // 2)]
    other = quality.held_out(keys, energy, is_id, beta.fit, beta.probability, 4)
    assert other != found
    in_sample = quality.quality(beta.probability(energy, beta.fit(energy, is_id)), is_id)
    assert found["nll"] == pytest.approx(in_sample["nll"], rel=0.2)


@pytest.mark.parametrize(
    ("q", "message"),
    [([0.5, np.nan], "row 1"), ([1.5, 0.5], "1 of 2 .* row 0"), ([0.5], "labels"), ([], "labels")],
)
def test_bad_probabilities_are_refused(q, message):
    for measure in (quality.quality, quality.reliability):
        with pytest.raises(PenumbraError, match=message):
            measure(np.array(q), np.array([True, False]))


def test_what_cannot_be_halved_is_refused():
    energy, is_id = np.arange(4.0), np.array([True, False, False, False])
    with pytest.raises(PenumbraError, match="1 ID and 3 OOD"):
        quality.held_out("abcd", energy, is_id, beta.fit, beta.probability, 0)
    with pytest.raises(PenumbraError, match="valid: mass, width"):
        quality.reliability(np.array([0.5]), np.array([True]), "bins")
