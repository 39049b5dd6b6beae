"""P(ID) of a score of any scale."""

import numpy as np
import pytest

from penumbra.detector.calibration import Probability, calibrate
from penumbra.errors import PenumbraError


def drawn(id_count=400, ood_count=100, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(1, 1, id_count), rng.normal(-1, 1, ood_count)


def q_of(of_id, of_ood, at):
    return Probability(of_id, of_ood, calibrate(of_id, of_ood, 0)["parameters"])(at)


def test_it_is_the_probability_where_both_are_equally_likely():
    """Of N(1, 1) against N(-1, 1) it is σ(2x), though four in five calibration images are ID."""
    at = np.linspace(-1.5, 1.5, 7)
    q = q_of(*drawn(8000, 2000), at)
    assert np.abs(q - 1 / (1 + np.exp(-2 * at))).max() < 0.05


@pytest.mark.parametrize(
    "rising", [lambda s: 1e6 * s - 7, lambda s: s**3, lambda s: 1 - np.exp(-s)]
)
def test_any_rising_function_of_the_score_has_the_same(rising):
    of_id, of_ood = drawn()
    wanted = q_of(of_id, of_ood, of_id)
    assert np.allclose(q_of(rising(of_id), rising(of_ood), rising(of_id)), wanted, atol=1e-9)


def test_it_never_falls_and_is_flat_beyond_the_calibration_scores():
    of_id, of_ood = drawn()
    q = q_of(of_id, of_ood, np.linspace(-9, 9, 500))
    assert (np.diff(q) >= 0).all()
    assert q[0] == q_of(of_id, of_ood, np.array([of_ood.min()]))[0] > 0
    assert q[-1] == q_of(of_id, of_ood, np.array([of_id.max()]))[0] < 1


def test_a_handful_of_images_that_separate_claims_no_more_than_they_can():
    """The curve says 1e-222 and exactly 1 there."""
    of_id, of_ood = np.arange(10.0, 16), np.arange(4.0)
    assert (
        q_of(of_id, of_ood, np.array([-99.0, 0, 15, 99])).tolist() == [1 / 12] * 2 + [11 / 12] * 2
    )


@pytest.mark.parametrize(
    ("of_id", "of_ood", "message"),
    [
        (np.ones(9), np.ones(9), "all scores of the calibration images are 1"),
        (np.array([1.0, np.inf]), np.zeros(2), "are infinite"),
        (*reversed(drawn()), "do not tell held-out ID from calibration OOD"),
        (np.array([9.0]), np.arange(5.0), "two halves need at least two of each"),
    ],
)
def test_no_map_where_there_is_none(of_id, of_ood, message):
    with pytest.raises(PenumbraError, match=message):
        calibrate(of_id, of_ood, 0)
