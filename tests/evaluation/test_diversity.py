"""Diversity measures and the shift grid."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr

from penumbra.errors import PenumbraError
from penumbra.evaluation import shift_grid
from penumbra.evaluation.diversity import cross_category, jpeg_bytes, jpeg_of_mean, mean_of_jpeg


def test_distinct_predictions_count_per_category():
    assert cross_category(np.array([7, 7, 3, 900]), 2) == 1.5
    with pytest.raises(PenumbraError, match="no images"):
        cross_category(np.array([]), 2)


def test_diverse_images_have_a_smaller_mean_image():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (3, 32, 32), np.uint8)
    alike = np.repeat(image[None], 8, 0)
    diverse = rng.integers(0, 256, (8, 3, 32, 32), np.uint8)
    assert jpeg_of_mean(alike, 95) == jpeg_bytes(image, 95) == mean_of_jpeg(alike, 95)
    assert jpeg_of_mean(diverse, 95) < jpeg_of_mean(alike, 95)
    flat = np.zeros_like(diverse)
    assert mean_of_jpeg(flat, 95) < mean_of_jpeg(diverse, 95)


def test_chroma_is_not_subsampled():
    colours = np.zeros((3, 32, 32), np.uint8)
    colours[0, :, ::2] = 255
    colours[2, :, 1::2] = 255
    out = io.BytesIO()
    Image.fromarray(colours.transpose(1, 2, 0)).save(out, "JPEG", quality=95, subsampling=2)
    assert jpeg_bytes(colours, 95) > out.tell()


CELLS = [f"cov_{c}_sem_{s}" for c in range(3) for s in range(2)]


def test_rows_of_the_grid_are_semantic_and_columns_covariate():
    labels = np.arange(6).repeat(2)
    values = np.array([10 * s + c for c in range(3) for s in range(2)]).repeat(2)
    means = shift_grid.cell_means(values + np.tile([-1, 1], 6), labels, CELLS)
    assert means.tolist() == [[0, 1, 2], [10, 11, 12]]
    assert shift_grid.rescaled(means)[1].tolist() == pytest.approx([10 / 12, 11 / 12, 1])


def test_ranks_agree_with_scipy():
    means = np.random.default_rng(1).normal(size=(8, 8)).round(1)  # with ties
    semantic, covariate = np.indices(means.shape)
    expected = [
        spearmanr(means.ravel(), level.ravel()).statistic for level in (semantic, covariate)
    ]
    assert shift_grid.trends(means) == pytest.approx(expected)
    assert np.isnan(shift_grid.trends(np.ones((8, 8)))).all()
    assert (shift_grid.rescaled(np.ones((8, 8))) == 0).all()


def test_a_grid_with_a_hole_and_other_classes_are_refused():
    with pytest.raises(PenumbraError, match="no images of cov_2_sem_1"):
        shift_grid.cell_means(np.zeros(5), np.arange(5), CELLS)
    with pytest.raises(PenumbraError, match="class 'cat' is no cell"):
        shift_grid.cell_means(np.zeros(1), np.zeros(1, int), ["cat"])
