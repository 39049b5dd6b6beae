"""Decoding in parts, the table of an image set, and the stage that writes it."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from penumbra.errors import PenumbraError
from penumbra.images import image_set
from penumbra.images.entries import Entries, Entry
from penumbra.images.image_set import evenly, from_table, to_table
from penumbra.stages import images
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import read_parquet
from penumbra.store.closure import code_of
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
    part = from_table(to_table(found).slice(5, 9))
    assert np.array_equal(part.pixels, found.pixels[5:14])


@pytest.mark.parametrize("threads", ["1", "3"])
def test_stage_writes_part_by_part(tmp_path, monkeypatch, threads):
    write_folder(tmp_path / "pets" / "train")
    config = spec()
    expected = read(config, tmp_path)
    roots = ["penumbra.images.readers.stored"]
    whole = {
        "rule": "images", "wildcards": {"image_set": "pets-train"}, "config": config,
        "roots": roots, "code": code_of(["penumbra.stages.images", *roots])["digest"],
    }  # fmt: skip
    monkeypatch.setattr(image_set, "GROUP", 4 * 3 * 32 * 32)
    monkeypatch.setenv("PENUMBRA_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    file = tmp_path / "pets-train.parquet"
    images.run(Job(["--out", f"images={file}"], json.dumps(whole)))
    assert pq.ParquetFile(file).num_row_groups == 2
    same(from_table(read_parquet(file)), expected)


def test_a_set_of_no_image_is_refused_before_any_is_decoded(tmp_path, monkeypatch):
    (tmp_path / "pets" / "train").mkdir(parents=True)
    roots = ["penumbra.images.readers.stored"]
    whole = {
        "rule": "images", "wildcards": {"image_set": "pets-train"}, "config": spec(count=None),
        "roots": roots, "code": code_of(["penumbra.stages.images", *roots])["digest"],
    }  # fmt: skip
    monkeypatch.setenv("PENUMBRA_DATA_ROOT", str(tmp_path))
    job = Job(["--out", f"images={tmp_path}/x.parquet"], json.dumps(whole))
    with pytest.raises(PenumbraError, match="image set pets-train: no images"):
        images.run(job)
    assert not (tmp_path / "x.parquet").exists()
