"""Artifacts: whole or absent, deterministic, with their provenance."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.audit.artifacts import (
    provenance_of,
    read_checkpoint,
    read_parquet,
    write_checkpoint,
    write_parquet,
)
from penumbra.audit.notes import noted, read_note
from penumbra.columns import groups, matrix, vectors
from penumbra.errors import PenumbraError
from penumbra.files import atomic

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
    with pytest.raises(PenumbraError, match=f"{name}: not a readable .* remake it"):
        read(file)


def test_a_file_of_others_is_refused(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(table(), tmp_path / "x.parquet")
    with pytest.raises(PenumbraError, match="carries no provenance"):
        read_parquet(tmp_path / "x.parquet")


def test_what_a_killed_writer_left_is_removed(tmp_path):
    (tmp_path / ".x.txt.123.tmp").write_text("half")
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


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
