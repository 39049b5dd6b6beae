"""The UAT paper's lemmas as numbers: known geometry gives known values."""

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.evaluation.theory import separation, theory

LABELS = np.array([0, 0, 1, 1, 2, 2, -1])
# Two images of each class one step to both sides of its mean; the last is of an unknown class.
MEANS = np.array([[3, 0, 0], [0, 4, 0], [0, 0, 0]], np.float32)
STEP = np.array([0, 0, 2], np.float32)
FEATURES = np.concatenate([[mean - STEP, mean + STEP] for mean in MEANS] + [[[99, 99, 99]]])
FEATURES = FEATURES.astype(np.float32)
WEIGHT = np.array([[2, 0, 0], [0, 1, 0], [0, 0, 3]], np.float32)
BIAS = np.array([0.5, -1, 0], np.float32)


def test_known_geometry_has_known_values():
    of = theory(FEATURES, LABELS, WEIGHT, BIAS)
    cosines = [3 / 13**0.5] * 2 + [4 / 20**0.5] * 2 + [-1, 1]
    assert of["alignment"] == pytest.approx(np.mean(cosines))
    assert of["within_variance"] == pytest.approx(4)
    assert of["mean_distance"] == pytest.approx((5 + 3 + 4) / 3)
    assert of["intra_inter"] == pytest.approx(2 / 4)
    assert of["weight_cosine"] == pytest.approx(0)
    assert of["weight_spread"] == pytest.approx(np.std([2, 1, 3]) / 2)
    assert of["bias_difference"] == pytest.approx(1.5)


def test_a_collapsed_network_is_what_the_lemmas_end_in():
    """Features in their class's direction, classes as far apart as angles can be."""
    simplex = np.eye(4) - 1 / 4
    labels = np.repeat(np.arange(4), 5)
    of = theory(simplex[labels], labels, 7 * simplex, np.zeros(4))
    assert of["alignment"] == pytest.approx(1)
    assert of["within_variance"] == of["intra_inter"] == pytest.approx(0)
    assert of["weight_cosine"] == pytest.approx(-1 / 3)
    assert of["weight_spread"] == pytest.approx(0)


def test_a_factor_on_features_leaves_angles_and_the_ratio():
    small, large = (theory(k * FEATURES, LABELS, WEIGHT, BIAS) for k in (1, 10))
    for name in ("alignment", "intra_inter", "weight_cosine"):
        assert large[name] == pytest.approx(small[name])
    assert large["within_variance"] == pytest.approx(100 * small["within_variance"])
    assert large["mean_distance"] == pytest.approx(10 * small["mean_distance"])


def test_classes_without_images_are_in_no_mean():
    """A benchmark may hold some of a model's classes."""
    weight = np.concatenate([WEIGHT, [[1e6, 0, 0]]])
    with_more = theory(FEATURES, LABELS, weight, np.append(BIAS, 1e6))
    assert with_more == theory(FEATURES, LABELS, WEIGHT, BIAS)


def test_a_feature_of_zeros_points_nowhere():
    of = theory(np.concatenate([FEATURES, np.zeros((1, 3))]), np.append(LABELS, 0), WEIGHT, BIAS)
    alone = theory(FEATURES, LABELS, WEIGHT, BIAS)
    assert of["alignment"] == pytest.approx(alone["alignment"] * 6 / 7)


@pytest.mark.parametrize(
    ("labels", "weight", "said"),
    [
        ([0, 0, -1, -1, -1, -1, -1], WEIGHT, "of 1 of the model's classes"),
        (LABELS, WEIGHT * [[1], [0], [1]], "all weights of class 1 are 0"),
    ],
)
def test_what_has_no_distance_or_angle_is_refused(labels, weight, said):
    with pytest.raises(PenumbraError, match=said):
        theory(FEATURES, np.array(labels), weight, BIAS)


def test_a_network_that_tells_no_class_apart_is_refused():
    with pytest.raises(PenumbraError, match="tells none apart"):
        separation(np.ones((4, 2)), np.array([0, 0, 1, 1]))
