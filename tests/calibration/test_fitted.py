"""A map fitted to energies: who is fitted on, who is judged, and what the prior does."""

import numpy as np
import pytest

from penumbra.calibration.fitted import calibrated
from penumbra.calibration.maps import beta, isotonic, platt, temperature
from penumbra.errors import PenumbraError

CONFIG = {"input": "sigmoid_energy", "prior": "empirical"}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    energies = np.concatenate([rng.normal(-3, 1, 60), rng.normal(1, 1, 30), rng.normal(0, 1, 20)])
    return energies, np.repeat(["heldout", "calibration_ood", "outlier"], [60, 30, 20])


def test_outliers_are_judged_and_not_fitted_on(rows):
    energies, roles = rows
    q, summary = calibrated(platt, energies, roles, CONFIG, 0)
    moved = np.where(roles == "outlier", 9.0, energies)
    others, same = calibrated(platt, moved, roles, CONFIG, 0)
    assert same["parameters"] == summary["parameters"]
    assert np.array_equal(q[roles != "outlier"], others[roles != "outlier"])
    assert (others[roles == "outlier"] < q[roles == "outlier"]).all()
    assert (summary["n_id"], summary["n_ood"]) == (60, 30)


def test_the_prior_moves_all_and_the_parameters_stay(rows):
    q, summary = calibrated(platt, *rows, CONFIG, 0)
    even, same = calibrated(platt, *rows, CONFIG | {"prior": "uniform"}, 0)
    assert same == summary
    assert (even < q).all()  # two thirds of the rows are ID


@pytest.mark.parametrize("calibration", [beta, isotonic, platt, temperature])
def test_a_map_of_inverted_energies_is_refused(rows, calibration):
    """It was constant, of a perfect ECE, and kept all outliers or none."""
    energies, roles = rows
    with pytest.raises(
        PenumbraError, match=r"every image P\(ID\) = .*AUROC .* 0\.[0-4]\d\d; below"
    ):
        calibrated(calibration, -energies, roles, CONFIG, 0)
