"""Labels as places among a model's classes; image sets of classes that it never saw."""

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet
from penumbra.images.known import check_known, relabelled


def made(labels, classes):
    return ImageSet(np.zeros((4, 3, 2, 2), np.uint8), np.array(labels), ["o"] * 4, classes)


def test_labels_are_matched_by_name_and_the_unknown_have_none():
    pets = made([0, 1, -1, 2], ["b", "x", "a"])
    assert relabelled(pets, ["a", "b"], "pets").labels.tolist() == [1, -1, -1, 0]
    assert relabelled(pets, ["b", "x", "a"], "pets") is pets


def test_classes_of_which_none_is_known_are_refused():
    message = r"image set pets: none of its classes '0', '1' is among .*'ant', 'bee'.*same names"
    with pytest.raises(PenumbraError, match=message):
        relabelled(made([0, 1, -1, 1], ["0", "1"]), ["ant", "bee"], "pets")
    unnamed = relabelled(made([-1] * 4, []), ["ant", "bee"], "pets")
    assert set(unnamed.labels.tolist()) == {-1}


def test_no_known_class_is_told_before_any_image_is_read():
    with pytest.raises(PenumbraError, match="image set pets: none of its classes 'c', 'd'"):
        check_known({"fish": ["a"], "pets": ["c", "d"]}, ["a", "b"], "train", ())


def test_a_class_beside_those_of_the_training_is_meant_only_under_other_models():
    given = {"pets": ["a", "c"]}
    message = r"image set pets: its classes 'c' are not among .*'a', 'b' \(image set train\)"
    with pytest.raises(PenumbraError, match=f"{message}.*image_sets.pets.classes.*models_of"):
        check_known(given, ["a", "b"], "train", ("pets",))
    check_known(given, ["a", "b"], "train", ())


def test_fewer_classes_and_another_order_are_fine():
    check_known({"pets": ["b"], "fish": ["b", "a"]}, ["a", "b"], "train", ("pets", "fish"))
