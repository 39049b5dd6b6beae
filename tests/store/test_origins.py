"""An artifact is refused where it does not belong, and beside inputs that it was not made from."""

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penumbra.audit.verification import verify
from penumbra.errors import PenumbraError
from penumbra.store import origins, seals
from penumbra.store.artifacts import ARTIFACT, place, provenance_of, write_arrays, write_parquet

SCORES = "results/w/scores/m/{}.parquet"
MODEL = "results/w/models/m/model.safetensors"


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A checkpoint, and two scores that were made from it."""
    monkeypatch.chdir(tmp_path)
    write_arrays(MODEL, {"w": np.arange(3.0)}, made("models", {}))
    for scorer in ("msp", "energy"):
        rows = pa.table({"score": [1.0, 2.0]})
        write_parquet(SCORES.format(scorer), rows, made("scores", {"scorer": scorer}, MODEL))
    return tmp_path


def made(rule, wildcards, *inputs):
    digests = {name: seals.check(Path(name)) for name in inputs}
    return {"rule": rule, "wildcards": wildcards, "inputs": digests}


def test_an_artifact_says_where_it_was_written(world):
    for path in (SCORES.format("msp"), MODEL):
        assert provenance_of(path)[ARTIFACT] == path
        assert place(world / path) == path
    assert place(world / "elsewhere/x.parquet") is None
    assert "3 artifacts" in verify(world / "results")


def test_a_copy_under_another_name_is_refused_whatever_its_time(world):
    target = world / SCORES.format("msp")
    shutil.copy2(world / SCORES.format("energy"), target)
    os.utime(target, (1, 1))
    with pytest.raises(PenumbraError, match=r"is not what its path says: rule scores .*energy"):
        origins.check(target)
    with pytest.raises(PenumbraError, match=r"1 of 3 artifacts\n.*msp.parquet"):
        verify(world / "results")


def test_an_artifact_of_another_world_or_of_none_is_refused(world):
    shutil.copytree(world / "results/w", world / "results/v")
    write_parquet("loose.parquet", pa.table({"x": [1]}), made("scores", {}))
    shutil.move("loose.parquet", SCORES.format("loose"))
    for name in ("results/v/models/m/model.safetensors", SCORES.format("loose")):
        with pytest.raises(PenumbraError, match=r"is not what its path says.*remake it"):
            origins.check(world / name)


def test_inputs_that_have_changed_since_are_told(world):
    write_arrays(MODEL, {"w": np.arange(4.0)}, made("models", {}))
    with pytest.raises(PenumbraError, match=rf"msp.parquet: was made from {MODEL} when its"):
        origins.check(world / SCORES.format("msp"))
    with pytest.raises(PenumbraError, match="2 of 3 artifacts"):
        verify(world / "results")


def test_inputs_that_are_gone_are_not_missed(world):
    (world / MODEL).unlink()
    origins.check(world / SCORES.format("msp"))


def test_an_unsealed_input_is_compared_by_its_bytes_where_all_is_verified(world):
    file = world / "weights.pth"
    file.write_bytes(b"published")
    inputs = made("parts", {"part": "p"}, "weights.pth")
    part = "results/w/parts/p/model.safetensors"
    write_arrays(part, {"w": np.arange(3.0)}, inputs)
    file.write_bytes(b"other")
    origins.check(world / part)
    with pytest.raises(PenumbraError, match=r"was made from weights.pth"):
        verify(world / "results")
