"""Labels as places among a model's classes."""

import numpy as np

from penumbra.images.shards import ImageSet
from penumbra.stages.reading import Part, as_known


def test_labels_are_matched_by_name_and_the_unknown_have_none():
    pixels = np.zeros((4, 3, 2, 2), np.uint8)
    images = ImageSet(pixels, np.array([0, 1, -1, 2]), ["o"] * 4, ["b", "x", "a"])
    part = Part("pets", 0, images)
    assert as_known(part, "test", ["a", "b"]).images.labels.tolist() == [1, -1, -1, 0]
    assert as_known(part, "ood", ["a", "b"]) is part
