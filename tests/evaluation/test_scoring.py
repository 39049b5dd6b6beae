"""What a scorer may return: finite fits, and one real number per image."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.evaluation.probing import scored
from penumbra.evaluation.scoring import one_per_image, refuse_infinite


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (np.ones((3, 1)), r"the shape \(3, 1\); .* the shape \(3,\)"),
        (np.ones(4), r"the shape \(4,\); .* the shape \(3,\)"),
        (1.0, r"the shape \(\); .* the shape \(3,\)"),
        ([[1.0], [1.0, 2.0], []], "the dtype object, not real numbers"),
        (np.ones(3, complex), "the dtype complex128, not real numbers"),
        (np.array(["1"] * 3), "the dtype <U1, not real numbers"),
        (np.array([1, None, 2]), "the dtype object, not real numbers"),
    ],
)
def test_what_is_not_one_number_per_image_is_refused(returned, told):
    with pytest.raises(PenumbraError, match=rf"image set digits: score\(\) returned {told}"):
        one_per_image(returned, 3, "digits")


def test_nan_is_refused():
    with pytest.raises(PenumbraError, match="image set faces: 1 of 2 scores are NaN"):
        one_per_image([1.0, np.nan], 2, "faces")


def test_whole_numbers_and_infinities_are_scores():
    assert one_per_image(np.arange(3), 3, "digits").tolist() == [0.0, 1.0, 2.0]
    assert one_per_image([np.inf, 1], 2, "digits").tolist() == [np.inf, 1.0]


def test_a_fit_that_is_not_finite_is_refused():
    fitted = {"mean": np.zeros(2), "threshold": np.array([1.0, np.inf])}
    with pytest.raises(PenumbraError, match="threshold of its fit is not finite"):
        refuse_infinite(fitted.items())


X = torch.arange(24.0).reshape(8, 3, 1, 1)


def test_batches_are_joined():
    values = scored(lambda x: x.mean((1, 2, 3)), X.split(5), "digits")
    assert values.tolist() == [1, 4, 7, 10, 13, 16, 19, 22]
    assert values.dtype == np.float64


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (lambda x: x.mean((1, 2, 3))[:, None], r"returned the shape \(5, 1\); .* the shape \(5,\)"),
        (lambda x: x[1:, 0, 0, 0], r"returned the shape \(4,\); .* the shape \(5,\)"),
        (lambda x: x[:, 0, 0, 0].to(torch.complex64), "the dtype torch.complex64, not real"),
        (lambda x: x[:, 0, 0, 0].tolist(), "returned list, not a tensor"),
        (lambda x: x[:, 0, 0, 0] * torch.nan, "8 of 8 scores are NaN"),
    ],
)
def test_what_is_not_one_number_per_image_of_a_batch_is_refused(score, told):
    with pytest.raises(PenumbraError, match=f"image set digits: .*{told}"):
        scored(score, X.split(5), "digits")
