"""Files that are detectors of this version, and all others."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from penumbra.detector import file as files
from penumbra.detector.detector import Detector
from penumbra.detector.file import described, exported, write
from penumbra.errors import PenumbraError
from penumbra.store.artifacts import provenance_of, write_checkpoint
from tests.detector.conftest import CODE, weights
from tests.detector.conftest import described as description


def test_what_is_written_is_read(file, detector, tmp_path):
    """At another TPR, with the commit, and the same scores."""
    made = tmp_path / "mine.safetensors"
    exported(file, made, 0.5, "abc")
    again = Detector.load(made, "cpu")
    assert again.description == replace(described(file), tpr=0.5, commit="abc")
    assert again.threshold == detector.at(0.5).threshold != detector.threshold
    assert np.array_equal(again.heldout, detector.heldout)
    assert provenance_of(made)["code"] == CODE["code"]


def test_others_may_read_it_as_any_new_file(file, tmp_path):
    made, text = tmp_path / "mine.safetensors", tmp_path / "text.txt"
    exported(file, made, 0.5, "")
    text.write_text("new")
    assert made.stat().st_mode == text.stat().st_mode


def test_another_format(tmp_path, monkeypatch):
    made = tmp_path / "next.safetensors"
    monkeypatch.setattr(files, "FORMAT", 2)
    write(made, description(), weights(), CODE)
    monkeypatch.undo()
    with pytest.raises(PenumbraError, match=r"next.safetensors: is a detector of format 2, .* 1;"):
        described(made)


def broken_bytes(file, made):
    shutil.copy(file, made)
    with made.open("r+b") as stream:
        stream.seek(-100, 2)
        stream.write(b"\0\1" * 8)


def cut(file, made):
    made.write_bytes(file.read_bytes()[:-1000])


def checkpoint(file, made):
    write_checkpoint(made, {"a": torch.zeros(1)}, CODE)


def foreign(file, made):
    made.write_bytes(b"\x89PNG and so on")


def endless(file, made):
    """The size of its header, as a safetensors file begins with, is 2⁶⁴ - 1."""
    made.write_bytes(b"\xff" * 100)


def nothing(file, made):
    pass


def directory(file, made):
    made.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (broken_bytes, "is damaged, its bytes are not those that were written"),
        (cut, "is damaged"),
        (checkpoint, "is no detector, but another file of Penumbra's; `penumbra detector export`"),
        (foreign, "is no detector; `penumbra detector export` writes one"),
        (endless, "is no detector; `penumbra detector export` writes one"),
        (directory, "is a folder, and no detector; `penumbra detector export` writes one"),
        (nothing, "there is no such file"),
    ],
)
def test_a_file_that_is_no_detector(file, tmp_path, make, message):
    made = tmp_path / "other.safetensors"
    make(file, made)
    with pytest.raises(PenumbraError, match=f"other.safetensors: {message}"):
        Detector.load(made)


@pytest.mark.parametrize(
    ("name", "message"), [("x.pt", "ends in .safetensors"), ("no/x.safetensors", "no folder")]
)
def test_a_place_where_none_is_written(file, tmp_path, name, message):
    with pytest.raises(PenumbraError, match=message):
        exported(file, tmp_path / name, 0.9, "")
