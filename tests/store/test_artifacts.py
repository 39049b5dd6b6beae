"""Artifacts: whole or absent, deterministic, with their provenance."""

import os
import socket
import subprocess

import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.store.artifacts import (
    provenance_of,
    read_arrays,
    read_checkpoint,
    read_parquet,
    stream_parquet,
    write_arrays,
    write_checkpoint,
    write_parquet,
)
from penumbra.store.columns import groups, matrix, vectors
from penumbra.store.files import atomic
from penumbra.store.notes import noted, read_note

MADE = {"rule": "test", "wildcards": {"b": "2", "a": "1"}, "seed": 3}


def table():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    return pa.table({"name": ["a", "a", "b", "b"], "vector": vectors(values)})


def test_parquet_round_trip_with_provenance(tmp_path):
    file = tmp_path / "x.parquet"
    write_parquet(file, [table(), table()], MADE)
    back = read_parquet(file)
    assert provenance_of(file) == MADE
    assert back.num_rows == 8
    assert np.array_equal(matrix(back["vector"])[4:], matrix(table()["vector"]))
    parts = list(groups(back.slice(0, 4), "name"))
    assert [name for name, _ in parts] == ["a", "b"]
    assert np.array_equal(matrix(parts[1][1]["vector"]), [[6, 7, 8], [9, 10, 11]])


def test_equal_content_gives_equal_bytes(tmp_path):
    for name in ("one", "two"):
        write_parquet(tmp_path / f"{name}.parquet", table(), MADE)
        write_checkpoint(tmp_path / f"{name}.safetensors", {"w": torch.arange(5.0)}, MADE)
    for suffix in ("parquet", "safetensors"):
        one, two = (tmp_path / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_checkpoint_round_trip_with_provenance(tmp_path):
    file = tmp_path / "x.safetensors"
    write_checkpoint(file, {"w": torch.ones(2, 3).T}, MADE)
    assert torch.equal(read_checkpoint(file)["w"], torch.ones(3, 2))
    assert provenance_of(file) == MADE


@pytest.mark.parametrize("name", ["x.parquet", "x.safetensors"])
def test_truncated_artifacts_are_refused_by_name(tmp_path, name):
    file = tmp_path / name
    if name.endswith("parquet"):
        write_parquet(file, table(), MADE)
    else:
        write_checkpoint(file, {"w": torch.ones(500)}, MADE)
    file.write_bytes(file.read_bytes()[:-100])
    read = read_parquet if name.endswith("parquet") else read_checkpoint
    with pytest.raises(PenumbraError, match=f"{name}: not a readable .* put a whole copy there"):
        read(file)


def test_a_file_of_others_is_refused(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(table(), tmp_path / "x.parquet")
    with pytest.raises(PenumbraError, match="carries no provenance"):
        read_parquet(tmp_path / "x.parquet")


def test_what_a_killed_writer_left_is_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    here = socket.gethostname()
    (tmp_path / f".x.txt.{here}.{dead.pid}.tmp").write_text("half")
    (tmp_path / ".x.txt.elsewhere.1.tmp").write_text("half")
    os.utime(tmp_path / ".x.txt.elsewhere.1.tmp", (0, 0))
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_writer_that_lives_keeps_its_file(tmp_path):
    names = [f".x.txt.{socket.gethostname()}.{os.getppid()}.tmp", ".x.txt.elsewhere.1.tmp"]
    for name in names:
        (tmp_path / name).write_text("half")
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "x.txt"])


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "x.txt"
    file.write_text("old")

    def interrupted():
        with atomic(file) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_note_is_read_from_the_metadata_alone(tmp_path):
    told = pa.table({"x": [1]}).replace_schema_metadata(noted("fell back"))
    write_parquet(tmp_path / "told.parquet", told, {})
    write_parquet(tmp_path / "silent.parquet", pa.table({"x": [1]}), {})
    assert read_note(tmp_path / "told.parquet") == "fell back"
    assert read_note(tmp_path / "silent.parquet") is None


def test_a_stream_reads_the_wanted_rows_group_by_group(tmp_path):
    def groups():
        for kind, rows in (("train", [0, 1]), ("test", [2, 3]), ("ood", [4])):
            yield pa.table({"role": [kind] * len(rows), "x": pa.array(rows)})

    write_parquet(tmp_path / "a.parquet", groups(), {})
    found = list(stream_parquet(tmp_path / "a.parquet", ["x"], "role", ("test", "ood")))
    assert [part["x"].to_pylist() for part in found] == [[2, 3], [4]]


def test_a_row_group_of_several_kinds_is_cut(tmp_path):
    table = pa.table({"role": ["train", "test", "test"], "x": pa.array([0, 1, 2])})
    write_parquet(tmp_path / "a.parquet", table, {})
    (part,) = stream_parquet(tmp_path / "a.parquet", ["x"], "role", ("test",))
    assert part["x"].to_pylist() == [1, 2]


def test_a_damaged_stream_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(PenumbraError, match=r"a.parquet: not a readable .* put a whole copy there"):
        list(stream_parquet(tmp_path / "a.parquet", ["x"], "role", ("test",)))


def test_arrays_without_torch(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array([True, False])}
    write_arrays(tmp_path / "a.safetensors", arrays, {"rule": "x"})
    found = read_arrays(tmp_path / "a.safetensors")
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in arrays.items()
    }
    assert list(read_arrays(tmp_path / "a.safetensors", ["b", "absent"])) == ["b"]
    assert provenance_of(tmp_path / "a.safetensors") == {"rule": "x"}
    (tmp_path / "a.safetensors").write_bytes(b"short")
    with pytest.raises(PenumbraError, match=r"a.safetensors: not a readable checkpoint"):
        read_arrays(tmp_path / "a.safetensors")
