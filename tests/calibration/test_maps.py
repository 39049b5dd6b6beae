"""The calibration maps: against betacal, against each other, and on energies as detectors give."""

import numpy as np
import pytest
from betacal import BetaCalibration
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from penumbra.calibration import inputs, logistic, prior
from penumbra.calibration.maps import beta, betacal, isotonic, platt, temperature
from penumbra.errors import PenumbraError

MAPS = {"beta": beta, "platt": platt, "temperature": temperature, "isotonic": isotonic}
GRID = np.linspace(-60, 60, 481)


def normals(id_mean, ood_mean, spread, n_id=400, n_ood=700):
    """Energies of ID and OOD images, and which are ID."""
    rng = np.random.default_rng(0)
    energy = np.r_[rng.normal(id_mean, spread, n_id), rng.normal(ood_mean, spread, n_ood)]
    return energy, np.arange(n_id + n_ood) < n_id


@pytest.fixture(scope="module")
def digits():
    """Energies of a classifier of five digits on unseen images of them and on other digits."""
    pixels, labels = load_digits(return_X_y=True)
    known = labels < 5
    train = known & (np.arange(len(labels)) % 2 == 0)
    net = LogisticRegression(C=0.01, max_iter=500).fit(pixels[train], labels[train])
    logits = net.decision_function(pixels[~train])
    return -np.logaddexp.reduce(logits, axis=1), known[~train]


# Few distinct values make ties, wide ones saturate.
ENERGIES = st.one_of(st.integers(-3, 3).map(float), st.floats(-80, 80, width=32))


@st.composite
def calibration_sets(draw):
    energy = draw(arrays(np.float64, st.integers(4, 30), elements=ENERGIES))
    is_id = draw(arrays(bool, len(energy)))
    is_id[:2] = [True, False]
    energy[-1] = energy[0] + 1
    return energy, is_id


@settings(deadline=None, max_examples=50)
@pytest.mark.parametrize("name", MAPS)
@given(calibration_sets())
def test_probabilities_never_rise_with_the_energy(name, data):
    q = MAPS[name].probability(GRID, MAPS[name].fit(*data))
    assert ((q >= 0) & (q <= 1)).all()
    assert (np.diff(q) <= 1e-15).all()


@settings(deadline=None, max_examples=50)
@given(calibration_sets())
def test_beta_is_the_likeliest_with_a_and_b_not_below_zero(data):
    energy, is_id = data
    assume(energy.min() < beta.SATURATED and energy.max() > -beta.SATURATED)
    found = beta.fit(energy, is_id)
    a, b, c = (found[key][0] for key in "abc")
    assert min(a, b) >= 0

    def loss(a, b, c):
        moved = {**found, "a": [a], "b": [b], "c": [c]}
        log_s, log_rest = inputs.log_scores(energy)
        logit = a * log_s - b * log_rest + c
        assert beta.probability(energy, moved) == pytest.approx(expit(logit))
        return np.logaddexp(0, np.where(is_id, -logit, logit)).sum()

    lowest = loss(a, b, c)
    for step in (1e-3, -1e-3):
        assert loss(max(a + step, 0), b, c) >= lowest - 1e-6
        assert loss(a, max(b + step, 0), c) >= lowest - 1e-6
        assert loss(a, b, c + step) >= lowest - 1e-6


@pytest.mark.parametrize("mode", beta.PARAMETERS)
def test_beta_is_betacal_where_the_score_is_not_saturated(mode):
    energy, is_id = normals(-1.5, 1.0, 1.5)
    score = expit(-energy)
    theirs = BetaCalibration(parameters=mode).fit(score[:, None], is_id.astype(int)).predict(score)
    ours = beta.probability(energy, beta.fit(energy, is_id, parameters=mode))
    assert ours == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("mode", beta.PARAMETERS)
@pytest.mark.parametrize("means", [(-1.5, 1.0), (-25, -18)])
def test_betacal_is_what_the_package_predicts(mode, means):
    """Of energies on both sides of 0, and of saturated ones."""
    energy, is_id = normals(*means, 1.5)
    score = inputs.sigmoid(-energy)
    wanted = BetaCalibration(parameters=mode).fit(score, is_id.astype(int)).predict(score)
    found = betacal.probability(energy, betacal.fit(energy, is_id, parameters=mode))
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_betacal_tells_nothing_apart_below_double_precision():
    """Where the fit to the energies still does."""
    energy, is_id = normals(-54, -48, 3)
    package, own = (m.probability(energy, m.fit(energy, is_id)) for m in (betacal, beta))
    assert np.ptp(package[energy < -37]) == 0
    assert np.ptp(own[energy < -37]) > 0.9


@given(
    st.tuples(st.floats(0, 5), st.floats(0, 5), st.floats(-5, 5)),
    arrays(np.float64, 9, elements=ENERGIES),
)
def test_mirror_identity_of_the_map(parameters, energy):
    a, b, c = ([value] for value in parameters)
    place = {"centre": [0.0], "scale": [1.0]}
    mirrored = beta.probability(-energy, {"a": a, "b": b, "c": c, **place})
    other = beta.probability(energy, {"a": b, "b": a, "c": [-c[0]], **place})
    assert mirrored == pytest.approx(1 - other, abs=1e-12)


def test_mirror_identity_of_the_fit():
    energy, is_id = normals(-1.5, 1.0, 1.5)
    found, mirrored = beta.fit(energy, is_id), beta.fit(-energy, ~is_id)
    assert mirrored["a"] == pytest.approx(found["b"], abs=1e-8)
    assert mirrored["b"] == pytest.approx(found["a"], abs=1e-8)
    assert mirrored["c"][0] == pytest.approx(-found["c"][0], abs=1e-8)


@pytest.mark.parametrize("means", [(-25, -18), (-54, -48), (18, 25)])
def test_saturated_beta_is_platt(means):
    """Also where the scores themselves, s = 1 in float64 for E = -50, tell nothing apart."""
    energy, is_id = normals(*means, 3)
    assert np.abs(energy).min() > beta.SATURATED
    ours, wanted = (map_.probability(GRID, map_.fit(energy, is_id)) for map_ in (beta, platt))
    np.testing.assert_allclose(ours, wanted, atol=5e-5)
    assert ours.max() - ours.min() > 0.99


def test_nearly_saturated_beta_is_nearly_platt():
    energy, is_id = normals(-12, -9, 2)
    assert energy.max() > -beta.SATURATED
    ours, wanted = (map_.probability(energy, map_.fit(energy, is_id)) for map_ in (beta, platt))
    np.testing.assert_allclose(ours, wanted, atol=0.05)


def test_platt_is_betas_two_parameter_form():
    energy, is_id = normals(-3, 1, 2)
    two, line = beta.fit(energy, is_id, parameters="am"), platt.fit(energy, is_id)
    assert two["a"] == two["b"] == line["slope"]
    assert two["c"] == line["c"]


def test_platt_is_logistic_regression():
    energy, is_id = normals(-12, -9, 2)
    found = platt.fit(energy, is_id)
    wanted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(energy[:, None], is_id)
    assert found["slope"][0] == pytest.approx(-wanted.coef_[0, 0], rel=1e-4)
    assert found["c"][0] == pytest.approx(wanted.intercept_[0], rel=1e-4)


def test_temperature_is_the_likeliest():
    energy, is_id = normals(-6, 5, 9)
    found = temperature.fit(energy, is_id)
    (best,) = found["temperature"]

    def loss(value):
        q = temperature.probability(energy, {**found, "temperature": [value]})
        return -np.log(np.where(is_id, q, 1 - q)).sum()

    assert loss(best) < min(loss(best * 1.01), loss(best / 1.01))


def test_temperature_without_an_offset_leaves_no_band_below_one_half():
    energy, is_id = normals(-25, -18, 3)
    found = temperature.fit(energy, is_id)
    q = temperature.probability(energy, found)
    assert found["temperature"][0] > 1e6
    assert q.min() > 0.5
    assert np.array_equal(np.argsort(q), np.argsort(-energy))


def test_isotonic_is_constant_beyond_its_thresholds(digits):
    energy, is_id = digits
    found = isotonic.fit(energy, is_id)
    q = isotonic.probability(energy, found)
    far = isotonic.probability(np.array([energy.min() - 9, energy.max() + 9]), found)
    assert far.tolist() == [q.max(), q.min()]
    assert q.mean() == pytest.approx(is_id.mean())  # pooled blocks keep the sum of labels


@pytest.mark.parametrize("name", ["beta", "platt"])
@pytest.mark.parametrize("size", [1e10, 1e16, 1e155, 1e300])
def test_one_energy_of_a_diverged_detector_ends_no_search_and_hangs_none(name, size):
    """The search had ended at slope 0 for 1e10 and more, and never for 1e155 and more."""
    energy, is_id = normals(-1, 1, 1, 20, 20)
    energy[0] = -size
    with pytest.raises(PenumbraError, match=r"features from .* within ±1e\+08; the detector has"):
        MAPS[name].fit(energy, is_id)


def test_energies_too_large_for_a_map_are_refused():
    energy, is_id = normals(-1, 1, 1, 20, 20)
    with pytest.raises(PenumbraError, match=r"of up to 3.*e\+155 have no squares; the detector"):
        temperature.fit(energy * 1e155, is_id)
    with pytest.raises(PenumbraError, match="have no finite interquartile range"):
        beta.fit(np.sign(energy) * 1.7e308, is_id, "sigmoid_centered")


def test_one_large_energy_changes_a_fit_no_more_than_a_small_one():
    energy, is_id = normals(-1, 1, 1, 20, 20)
    fits = []
    for size in (1e3, 1e8):
        energy[0] = -size
        fits.append(beta.fit(energy, is_id))
    for key in "abc":
        assert fits[0][key] == pytest.approx(fits[1][key], rel=1e-9)


@pytest.mark.parametrize("name", MAPS)
def test_classes_that_do_not_overlap_give_a_finite_map(name):
    energy, is_id = normals(-30, -10, 1)
    found = MAPS[name].fit(energy, is_id)
    assert all(np.isfinite(values).all() for values in found.values())
    q = MAPS[name].probability(energy, found)
    assert name == "temperature" or (q[is_id].min() > 0.99 and q[~is_id].max() < 0.01)


@pytest.mark.parametrize("name", ["beta", "platt"])
def test_energies_the_wrong_way_round_give_the_base_rate(name):
    energy, is_id = normals(5, -5, 2)
    q = MAPS[name].probability(GRID, MAPS[name].fit(energy, is_id))
    assert q == pytest.approx(is_id.mean())


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("input", inputs.COLUMNS)
def test_digits(digits, name, input):
    """Unseen digits of known classes get higher q than other digits, by every map and input."""
    energy, is_id = digits
    found = MAPS[name].fit(energy, is_id, input=input)
    q = MAPS[name].probability(energy, found)
    assert q[is_id].mean() > q[~is_id].mean()
    if name != "temperature":  # an intercept makes mean q the base rate
        assert q.mean() == pytest.approx(is_id.mean(), abs=1e-9)
    single = energy.astype(np.float32)
    again = MAPS[name].fit(single, is_id, input=input)
    assert again == MAPS[name].fit(single.astype(np.float64), is_id, input=input)
    assert MAPS[name].probability(single, again) == pytest.approx(q, abs=1e-4)


def test_centred_energies(digits):
    energy, is_id = digits
    found = beta.fit(energy, is_id, input="sigmoid_centered")
    assert found["centre"] == [np.median(energy)]
    assert found["scale"] == [np.subtract(*np.quantile(energy, [0.75, 0.25]))]
    q = beta.probability(energy, found)
    shifted = beta.fit(4 * energy - 100, is_id, input="sigmoid_centered")
    assert beta.probability(4 * energy - 100, shifted) == pytest.approx(q, abs=1e-9)


@given(st.floats(0, 1), st.integers(1, 10**6), st.integers(1, 10**6))
def test_prior(q, n_id, n_ood):
    q = np.array([q])
    assert prior.under("empirical", q, n_id, n_ood) is q
    moved = prior.under("uniform", q, n_id, n_ood)
    assert moved * (1 - q) * n_id == pytest.approx((1 - moved) * q * n_ood, rel=1e-6, abs=1e-6)
    assert prior.under("uniform", q, n_id, n_id) == pytest.approx(q, abs=1e-15)
    back = prior.under("uniform", moved, n_ood, n_id)
    assert back == pytest.approx(q, abs=1e-9)


def test_the_papers_band_under_a_uniform_prior():
    moved = prior.under("uniform", np.array([0.3, 0.5]), 13000, 31802)
    assert moved == pytest.approx([0.51, 0.71], abs=0.005)


GOOD = np.array([-2.0, -1.0, 0.0, 1.0])
LABELS = np.array([True, False, True, False])


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("energy", "is_id", "message"),
    [
        (GOOD[:0], LABELS[:0], "no energies"),
        (GOOD, LABELS[:3], "one label an energy"),
        (GOOD[:, None], LABELS[:, None], "one axis"),
        (GOOD, np.ones(4, bool), "4 ID and 0 OOD"),
        (GOOD, np.zeros(4, bool), "0 ID and 4 OOD"),
        (np.array([0, np.nan, 1, np.inf]), LABELS, r"2 of 4 energies .* at row 1 \(nan\)"),
        (np.ones(4), LABELS, "all 4 energies are 1"),
    ],
)
def test_bad_calibration_sets_are_refused(name, energy, is_id, message):
    with pytest.raises(PenumbraError, match=message):
        MAPS[name].fit(energy, is_id)


@pytest.mark.parametrize("name", MAPS)
def test_bad_energies_are_refused_when_mapped(name):
    found = MAPS[name].fit(GOOD, LABELS)
    with pytest.raises(PenumbraError, match="1 of 2 energies are not finite, the first at row 1"):
        MAPS[name].probability(np.array([0, np.inf]), found)


def test_no_convergence_is_an_error(monkeypatch):
    monkeypatch.setattr(logistic, "STEPS", 2)
    with pytest.raises(PenumbraError, match="no convergence in 2 Newton steps"):
        beta.fit(*normals(-3, 1, 2))


def test_bad_options_are_refused():
    with pytest.raises(PenumbraError, match="did you mean 'sigmoid_phi'"):
        platt.fit(GOOD, LABELS, input="sigmoid_psi")
    with pytest.raises(PenumbraError, match="valid: a, ab, abm, am"):
        beta.fit(GOOD, LABELS, parameters="abc")
    with pytest.raises(PenumbraError, match="interquartile range is 0"):
        beta.fit(np.array([0.0, 0, 0, 0, 1]), np.array([*LABELS, False]), input="sigmoid_centered")
    with pytest.raises(PenumbraError, match="valid: empirical, uniform"):
        prior.under("flat", GOOD, 1, 1)
    with pytest.raises(PenumbraError, match="0 ID"):
        prior.under("uniform", GOOD, 0, 1)
