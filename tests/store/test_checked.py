"""Large artifacts are read whole once; what changed since is read again, and refused."""

import os

import numpy as np
import pytest

from penumbra.errors import PenumbraError
from penumbra.store import checked, seals
from penumbra.store.artifacts import write_arrays

FILE = "results/w/models/m/model.safetensors"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """An artifact that counts as large and as written a while ago; `reads` has whole readings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checked, "LEAST", 1)
    monkeypatch.setattr(checked, "SETTLED", -1)
    whole = seals.check
    reads = []
    monkeypatch.setattr(seals, "check", lambda path: reads.append(path) or whole(path))
    write_arrays(FILE, {"w": np.arange(300.0)}, {})
    return tmp_path / FILE, reads


def test_a_second_job_does_not_read_the_file_whole(file):
    path, reads = file
    assert checked.digest(path) == checked.digest(path) == seals.sealed(path)
    assert len(reads) == 1


def test_a_byte_that_changed_since_is_refused_whatever_the_times(file):
    path, reads = file
    checked.digest(path)
    before, whole = path.stat(), bytearray(path.read_bytes())
    whole[-3] ^= 1
    with path.open("r+b") as opened:
        opened.write(whole)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(PenumbraError, match="damaged"):
        checked.digest(path)
    assert len(reads) == 2


def test_a_file_that_was_only_just_written_is_read_again(file, monkeypatch):
    path, reads = file
    monkeypatch.setattr(checked, "SETTLED", 10**12)
    checked.digest(path)
    checked.digest(path)
    assert len(reads) == 2


def test_another_whole_file_in_its_place_has_its_own_digest(file):
    path, reads = file
    first = checked.digest(path)
    write_arrays(FILE, {"w": np.arange(300.0) + 1}, {})
    assert checked.digest(path) == seals.sealed(path) != first
    assert len(reads) == 2


def test_small_files_and_those_from_elsewhere_have_no_note(file, tmp_path, monkeypatch):
    path, _ = file
    monkeypatch.setattr(checked, "LEAST", 2**24)
    checked.digest(path)
    monkeypatch.setattr(checked, "LEAST", 1)
    (tmp_path / "published.pth").write_bytes(b"weights")
    checked.digest(tmp_path / "published.pth")
    assert not list(tmp_path.rglob("*.checked"))


def test_of_a_file_that_is_not_there_the_error_is_the_same(file):
    with pytest.raises(PenumbraError, match="not there; remake it"):
        checked.digest(file[0].with_name("other.safetensors"))


def test_a_note_goes_with_its_file(file):
    path, _ = file
    checked.digest(path)
    assert len(list(path.parent.iterdir())) == 2
    checked.remove(path)
    assert not list(path.parent.iterdir())
