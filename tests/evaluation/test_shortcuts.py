"""What colour and detail alone tell of an image's origin."""

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.evaluation.shortcuts import channel_statistics, high_frequency, shortcuts
from penumbra.outliers.grey import to_grey


@pytest.fixture
def images():
    """Smooth random images, half of them grey ID, half of them of the same kind."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (400, 1, 4, 4))
    return np.repeat(coarse.repeat(4, 2).repeat(4, 3), 3, 1).astype(np.uint8)


def test_images_of_one_kind_are_not_told_apart(images):
    measured = shortcuts(images[:200], images[200:], 0)
    assert set(measured) == {"channels", "frequency", "both"}
    assert all(0.35 < auroc < 0.65 for auroc in measured.values())


def test_a_fringe_of_one_level_of_colour_is_enough(images):
    fringed = images[200:].copy()
    fringed[:, 0] = np.clip(fringed[:, 0].astype(int) + 1, 0, 255)
    measured = shortcuts(images[:200], fringed, 0)
    assert measured["channels"] > 0.95
    assert 0.35 < measured["frequency"] < 0.65
    grey = shortcuts(images[:200], to_grey(fringed), 0)
    assert 0.35 < grey["channels"] < 0.65


def test_smoothing_shows_in_the_high_frequencies(images):
    smooth = images[200:].astype(float)
    smooth = (smooth + np.roll(smooth, 1, 2) + np.roll(smooth, 1, 3)) / 3
    measured = shortcuts(images[:200], smooth.astype(np.uint8), 0)
    assert measured["frequency"] > 0.9
    assert measured["both"] > 0.9


def test_too_few_of_either_are_refused(images):
    with pytest.raises(PenumbraError, match=r"4 outliers; at least 5 of each .* per_class"):
        shortcuts(images[:200], images[:4], 0)


def test_the_share_of_power_is_that_of_a_wave():
    places = np.arange(16)
    fast = 127 + 100 * np.cos(np.pi * places)  # half a cycle a pixel
    slow = 127 + 100 * np.cos(2 * np.pi * places / 16)
    waves = [np.broadcast_to(w, (3, 16, 16)) for w in (fast, slow)]
    shares = 10 ** high_frequency(np.stack([*waves, np.full((3, 16, 16), 9.0)]))[:, 0]
    assert shares == pytest.approx([1, 0, 0], abs=1e-9)


def test_channel_statistics_of_known_images():
    pixels = np.zeros((1, 3, 2, 2), np.uint8)
    pixels[0, 0] = [[255, 0], [255, 0]]
    numbers = channel_statistics(pixels)[0]
    assert numbers == pytest.approx([0.5, 0, 0, 0.5, 0, 0, 0.5, 0])


def test_grey_is_the_luma_and_leaves_grey_alone(images):
    assert np.array_equal(to_grey(images), images)
    red = np.zeros((1, 3, 1, 1), np.uint8)
    red[:, 0] = 255
    assert to_grey(red).ravel().tolist() == [76, 76, 76]  # 0.299 · 255
