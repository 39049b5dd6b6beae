"""Metrics against scikit-learn and against a literal transcription of the protocol."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS, PERCENT, metrics

# Few distinct values make ties; extremes make rounding.
VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6, width=32))
SCORES = arrays(np.float64, st.integers(1, 40), elements=VALUES)


@given(SCORES, SCORES)
def test_scikit_learn_agrees(inliers, outliers):
    found = metrics(inliers, outliers)
    truth = np.r_[np.ones(len(inliers)), np.zeros(len(outliers))]
    scores = np.r_[inliers, outliers]
    assert found["auroc"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert found["aupr_id"] == pytest.approx(average_precision_score(truth, scores), abs=1e-9)
    assert found["aupr_ood"] == pytest.approx(average_precision_score(1 - truth, -scores), abs=1e-9)
    rates, recall, _ = roc_curve(1 - truth, -scores, drop_intermediate=False)
    first = rates[np.argmax(recall >= 0.95)]
    assert found["fpr95_ood_positive"] == pytest.approx(first, abs=1e-9)


@given(SCORES, SCORES)
def test_fpr95_is_at_the_recall_nearest_to_95_percent(inliers, outliers):
    thresholds = np.unique(np.r_[inliers, outliers])
    recalls = np.array([(inliers >= t).mean() for t in thresholds])
    rates = np.array([(outliers >= t).mean() for t in thresholds])
    kept = recalls < 1
    kept[np.flatnonzero(recalls == 1)[-1]] = True  # the highest threshold of full recall
    distance = np.abs(recalls[kept] - 0.95)
    # Ascending thresholds: of equally near recalls the first has the lowest threshold.
    wanted = rates[kept][np.argmin(distance)]
    assert metrics(inliers, outliers)["fpr95"] == pytest.approx(wanted, abs=1e-9)


@given(SCORES, SCORES)
def test_order_is_all_that_counts_for_shares(inliers, outliers):
    by_order = [name for name in metrics(inliers, outliers) if METRICS[name].form == PERCENT]
    assert len(by_order) == 7
    plain, scaled = metrics(inliers, outliers), metrics(inliers * 4, outliers * 4)
    assert [plain[name] for name in by_order] == [scaled[name] for name in by_order]


def test_shifted_images_are_id_in_the_full_spectrum():
    inliers, outliers, shifted = np.array([3.0, 4.0]), np.array([1.0, 2.0]), np.array([0.0])
    found = metrics(inliers, outliers, shifted=shifted)
    joined = metrics(np.r_[inliers, shifted], outliers)
    assert (found["auroc"], found["fpr95"]) == (1, 0)
    assert found["full_auroc"] == joined["auroc"] < 1
    assert found["full_fpr95"] == joined["fpr95"] == 1


@pytest.mark.parametrize("bad", [[np.nan, 1.0], []])
def test_nan_and_empty_sets_are_refused_by_name(bad):
    with pytest.raises(PenumbraError, match="fn on textures"):
        metrics(np.array(bad), np.array([0.0]), "fn on textures")
