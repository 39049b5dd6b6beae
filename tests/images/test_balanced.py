"""Places chosen so that classes weigh alike."""

import numpy as np

from penumbra.images.balanced import balanced


def test_places_of_a_balanced_choice():
    labels = np.repeat([0, 1, 2], [100, 50, 4])
    chosen = balanced(labels, 30)
    assert np.bincount(labels[chosen]).tolist() == [13, 13, 4]
    assert len(set(chosen)) == 30
    assert np.array_equal(chosen, np.sort(chosen))
    assert chosen[:13].max() > 80  # spread over the class
    assert np.array_equal(balanced(labels, None), np.arange(154))
    assert np.array_equal(balanced(labels, 1000), np.arange(154))
