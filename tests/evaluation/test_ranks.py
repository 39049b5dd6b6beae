"""Ranks of scorers over image sets, against Demšar's example and ranks computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f

from penumbra.evaluation.ranks import ranking

# Demšar 2006, Table 6: AUC of four variants of C4.5 on 14 data sets.
DEMSAR = {
    "C4.5": [.763, .599, .954, .628, .882, .936, .661, .583, .775, 1, .940, .619, .972, .957],
    "+m": [.768, .591, .971, .661, .888, .931, .668, .583, .838, 1, .962, .666, .981, .978],
    "+cf": [.771, .590, .968, .654, .886, .916, .609, .563, .866, 1, .965, .614, .9751, .946],
    "+m+cf": [.798, .569, .967, .657, .898, .931, .685, .625, .875, 1, .962, .669, .975, .970],
}  # fmt: skip


def test_demsars_example():
    found = ranking(pd.DataFrame(DEMSAR), True, 0.95)
    assert found.means.to_dict() == pytest.approx(
        {"C4.5": 3.143, "+m": 2.0, "+cf": 2.893, "+m+cf": 1.964}, abs=5e-4
    )
    assert found.critical == pytest.approx(1.25, abs=5e-3)
    assert found.p_value < 0.05  # F is 3.69 there, its critical value 2.85
    at_ten = ranking(pd.DataFrame(DEMSAR), True, 0.9)  # 1.12 there
    assert at_ten.critical == pytest.approx(1.12, abs=1e-2)
    apart = {(a, b) for a in DEMSAR for b in DEMSAR if at_ten.pairs.loc[a, b] <= 0.1}
    assert apart == {("C4.5", "+m"), ("+m", "C4.5"), ("C4.5", "+m+cf"), ("+m+cf", "C4.5")}


def test_ranks_by_hand():
    """Three scorers on four sets: ranks 1 2 3, 1 2 3, 2 1 3, 1.5 1.5 3 from the lowest."""
    values = pd.DataFrame([[0.1, 0.2, 0.3], [0.4, 0.5, 0.9], [0.2, 0.1, 0.6], [0.3, 0.3, 0.7]])
    found = ranking(values, False, 0.95)
    assert found.means.tolist() == [5.5 / 4, 6.5 / 4, 12 / 4]
    assert ranking(-values, True, 0.95).means.tolist() == found.means.tolist()
    # Friedman's statistic with the correction for one pair of ties, then Iman and Davenport's.
    sums = np.array([5.5, 6.5, 12])
    chi2 = (12 / (4 * 3 * 4) * (sums**2).sum() - 3 * 4 * 4) / (1 - (2**3 - 2) / (4 * (3**3 - 3)))
    statistic = 3 * chi2 / (4 * 2 - chi2)
    assert found.p_value == pytest.approx(f.sf(statistic, 2, 6))


def test_pairs_are_tested_only_where_scorers_differ_at_all():
    rng = np.random.default_rng(0)
    alike = ranking(pd.DataFrame(rng.normal(size=(6, 5))), True, 0.95)
    assert alike.p_value > 0.05
    assert (alike.pairs == 1).all(axis=None)
    constant = ranking(pd.DataFrame(np.ones((4, 3))), True, 0.95)
    assert constant.p_value == 1
    agreed = ranking(pd.DataFrame([range(8)] * 9), True, 0.95)
    assert agreed.p_value == 0
    assert agreed.means.tolist() == list(range(8, 0, -1))
    assert agreed.pairs.loc[0, 7] < 0.05 < agreed.pairs.loc[6, 7]


def test_a_pair_is_told_apart_where_it_lies_beyond_the_critical_difference():
    rng = np.random.default_rng(1)
    found = ranking(pd.DataFrame(rng.normal(size=(12, 6)) + np.arange(6)), True, 0.95)
    gaps = np.abs(found.means.to_numpy()[:, None] - found.means.to_numpy())
    assert ((gaps > found.critical) == (found.pairs <= 0.05).to_numpy()).all()
    assert 0 < (gaps > found.critical).sum() < gaps.size - 6


def test_scorers_that_are_equal_are_told_apart_as_seldom_as_the_level_says():
    rng = np.random.default_rng(2)
    results = [ranking(pd.DataFrame(rng.normal(size=(6, 5))), True, 0.95) for _ in range(300)]
    assert np.mean([result.p_value <= 0.05 for result in results]) < 0.09
    assert np.mean([(result.pairs <= 0.05).any(axis=None) for result in results]) < 0.09
