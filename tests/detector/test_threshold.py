"""The quantile rule of the threshold, and what is said of the recall that it has."""

import numpy as np
import pytest

from penumbra.detector.threshold import rank, recall, threshold
from penumbra.errors import PenumbraError


@pytest.mark.parametrize(
    ("count", "tpr", "kept"), [(100, 0.95, 95), (100, 0.07, 7), (99, 0.95, 95), (3, 0.999, 3)]
)
def test_the_rank_is_the_share_rounded_up(count, tpr, kept):
    """0.07 · 100 is 7.000000000000001 in floating point, and 7 all the same."""
    assert rank(count, tpr) == kept


def test_the_largest_threshold_that_accepts_the_share():
    scores = np.random.default_rng(0).permutation(np.arange(20.0))
    made = threshold(scores, 0.9)
    assert made == 2.0
    assert (scores >= made).mean() == 0.9
    assert (scores >= np.nextafter(made, np.inf)).mean() < 0.9


def test_equal_scores_are_all_accepted():
    scores = np.array([1.0, 1.0, 1.0, 2.0])
    assert threshold(scores, 0.5) == 1.0


@pytest.mark.parametrize("tpr", [0, 1, -0.5, 95, float("nan")])
def test_a_share_that_is_none(tpr):
    with pytest.raises(PenumbraError, match=r"lies between 0 and 1, as in 0\.95"):
        threshold(np.zeros(3), tpr)


def test_the_recall_of_further_images_is_as_told():
    """Thresholds of many draws of held-out images, applied to the distribution itself."""
    rng, count = np.random.default_rng(0), 50
    true = np.array([1 - threshold(rng.random(count), 0.9) for _ in range(4000)])
    mean, low, high = recall(count, 0.9)
    assert true.mean() == pytest.approx(mean, abs=0.005)
    assert ((true >= low) & (true <= high)).mean() == pytest.approx(0.95, abs=0.015)
