"""Artifacts: whole or absent, deterministic, with their provenance."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.audit.artifacts import (
    groups,
    matrix,
    provenance_of,
    read_checkpoint,
    read_parquet,
    vectors,
    write_checkpoint,
    write_parquet,
)
from penumbra.errors import PenumbraError
from penumbra.files import atomic

MADE = {"rule": "test", "wildcards": {"b": "2", "a": "1"}, "seed": 3}


def table():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    return pa.table({"name": ["a", "b", "a", "b"], "vector": vectors(values)})


def test_parquet_round_trip_with_provenance(tmp_path):
    file = tmp_path / "x.parquet"
    write_parquet(file, [table(), table()], MADE)
    back = read_parquet(file)
    assert provenance_of(file) == MADE
    assert back.num_rows == 8
    assert np.array_equal(matrix(back["vector"])[4:], matrix(table()["vector"]))
    parts = dict(groups(back, "name"))
    assert np.array_equal(matrix(parts["b"]["vector"])[0], [3, 4, 5])


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
