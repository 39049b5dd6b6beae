"""Decoding group by group, and the table of an image set."""

import json

import numpy as np
import pyarrow as pa
import pytest

from penumbra.errors import PenumbraError
from penumbra.images import image_set
from penumbra.images.chosen import chosen
from penumbra.images.entries import Entries, Entry
from penumbra.images.image_set import decoded, evenly, from_table, to_table
from tests.images.helpers import digits_of, read, spec, write_folder


def made(labels, classes):
    rows = [Entry(f"row {i}", y, lambda: np.zeros((3, 4, 4))) for i, y in enumerate(labels)]
    return Entries(rows, classes)


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([0, 2, 1], ["a", "b"], "label 2 of row 1 is out of range; the set has 2 classes"),
        ([0, -1], ["a", "b"], "label -1 of row 1"),
        ([], ["a", "b"], "image set pets: no images"),
        ([-1, 3], [], "label 3 of row 1"),
    ],
)
def test_bad_labels_and_empty_sets_are_refused(labels, classes, message):
    with pytest.raises(PenumbraError, match=message):
        made(labels, classes).check("pets")


def test_evenly_spread_rows():
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 8).tolist() == evenly(3, None).tolist() == [0, 1, 2]


def same(a, b):
    assert np.array_equal(a.pixels, b.pixels)
    assert np.array_equal(a.labels, b.labels)
    assert (a.origins, a.classes) == (b.origins, b.classes)


def test_table_round_trip():
    found = digits_of("heldout")
    same(from_table(to_table(found)), found)
    assert json.loads(to_table(found).schema.metadata[b"shape"]) == [3, 32, 32]
    some = from_table(to_table(found).slice(5, 9))
    assert np.array_equal(some.pixels, found.pixels[5:14])


@pytest.mark.parametrize("threads", [1, 3])
def test_images_are_decoded_group_by_group(tmp_path, monkeypatch, threads):
    write_folder(tmp_path / "pets" / "train")
    expected = read(spec(), tmp_path)
    monkeypatch.setattr(image_set, "GROUP", 4 * 3 * 32 * 32)
    groups = list(decoded(chosen(spec(), tmp_path), threads))
    assert [len(group) for group in groups] == [4, 2]
    same(from_table(pa.concat_tables(map(to_table, groups))), expected)


def test_a_set_of_no_image_is_refused_before_any_is_decoded(tmp_path):
    (tmp_path / "pets" / "train").mkdir(parents=True)
    with pytest.raises(PenumbraError, match="image set pets-train: there are no images in"):
        chosen(spec(count=None), tmp_path)
