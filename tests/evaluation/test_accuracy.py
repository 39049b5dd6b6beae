"""Accuracy by image set, counted over row groups."""

import numpy as np

from penumbra.evaluation.accuracy import accuracies

LOGITS = np.eye(3, dtype=np.float32)  # images of the classes 0, 1, 2


def test_groups_of_a_set_are_counted_together_and_unknown_classes_are_wrong():
    train = ("digits", "train", np.array([0, 1, 0]), LOGITS)
    test = [("things", "test", np.array(labels), LOGITS) for labels in ([0, -1, -1], [1, 1, 1])]
    digits, things = accuracies([train, *test])
    assert (digits["image_set"], digits["role"], digits["n"]) == ("digits", "train", 3)
    assert digits["accuracy"] == digits["matched_accuracy"] == 2 / 3
    assert (things["n"], things["n_matched"]) == (6, 4)
    assert (things["accuracy"], things["matched_accuracy"]) == (2 / 6, 2 / 4)


def test_a_set_of_unknown_classes_alone_has_no_matched_accuracy_above_zero():
    (row,) = accuracies([("things", "test", np.full(3, -1), LOGITS)])
    assert (row["accuracy"], row["n_matched"], row["matched_accuracy"]) == (0, 0, 0)
