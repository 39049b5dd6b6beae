"""Seals: one flipped byte, anywhere in an artifact, and no job takes it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.store import seals
from penumbra.store.artifacts import provenance_of, write_arrays, write_checkpoint, write_parquet
from penumbra.store.columns import vectors
from penumbra.store.files import sha256

MADE = {"rule": "test", "wildcards": {"a": "1"}, "config": {"text": "sha256:" + "0" * 64}}


def parquet(file: Path) -> None:
    values = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    rows = pa.table({"name": ["a"] * 1000, "vector": vectors(values)})
    write_parquet(file, [rows, rows], MADE)


def checkpoint(file: Path) -> None:
    write_checkpoint(file, {"w": torch.arange(700.0), "b": torch.ones(3)}, MADE)


def arrays(file: Path) -> None:
    write_arrays(file, {"w": np.arange(700.0)}, MADE)


KINDS = [("x.parquet", parquet), ("x.safetensors", checkpoint), ("a.safetensors", arrays)]


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_a_sealed_file_is_taken_and_tells_its_provenance(tmp_path, name, write):
    write(tmp_path / name)
    assert len(seals.check(tmp_path / name)) == 64
    assert provenance_of(tmp_path / name) == MADE


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_a_flipped_bit_is_refused_wherever_it_is(tmp_path, monkeypatch, name, write):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "results" / "tiny" / name
    write(file)
    whole = file.read_bytes()
    places = np.random.default_rng(0).integers(len(whole), size=200)
    for place in [0, 4, 8, 20, len(whole) - 1, len(whole) - 6, len(whole) - 40, *places]:
        broken = bytearray(whole)
        broken[place] ^= 1 << int(place) % 8
        file.write_bytes(broken)
        with pytest.raises(PenumbraError, match=rf"{name}: damaged.*remake it: snakemake --force"):
            seals.check(file)


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_a_file_cut_short_or_grown_is_refused(tmp_path, monkeypatch, name, write):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "results" / name
    write(file)
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[: len(whole) // 2], whole[:7], b"", whole + b"\0"):
        file.write_bytes(broken)
        with pytest.raises(PenumbraError, match="damaged"):
            seals.check(file)


def test_files_from_elsewhere_need_no_seal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from safetensors.numpy import save_file

    save_file({"w": np.ones(3)}, tmp_path / "published.safetensors")
    assert seals.check(tmp_path / "published.safetensors") == sha256(
        tmp_path / "published.safetensors"
    )
    inside = tmp_path / "results" / "published.safetensors"
    inside.parent.mkdir()
    shutil.copy(tmp_path / "published.safetensors", inside)
    with pytest.raises(PenumbraError, match="carries no provenance"):
        seals.check(inside)
    # Whoever asks for an artifact of this project takes no other, wherever it lies.
    with pytest.raises(PenumbraError, match="carries no provenance"):
        seals.check(tmp_path / "published.safetensors", ours=True)


def test_the_command_that_remakes_an_artifact_is_quoted():
    found = seals.remake("results/cifar/images/a b.parquet")
    assert "snakemake --force 'results/cifar/images/a b.parquet' --cores 1 with the" in found


def test_what_remakes_an_artifact_of_a_world_of_ones_own_is_penumbras(tmp_path):
    (tmp_path / "penumbra.yaml").write_text("world: mine\n")
    wanted = f"remake it: penumbra run {tmp_path} results/mine/images/a.parquet -- --force"
    assert seals.remake(tmp_path / "results/mine/images/a.parquet") == wanted


WRITE = """
import sys
import numpy as np
import pyarrow as pa
from penumbra.store.artifacts import write_arrays, write_parquet
values = np.random.default_rng(0).integers(256, size=400_000).astype(np.uint8)
if sys.argv[1].endswith("parquet"):
    write_parquet(sys.argv[1], pa.table({"x": values}), {})
else:
    write_arrays(sys.argv[1], {"x": values}, {})
"""


@pytest.mark.parametrize("name", ["x.parquet", "x.safetensors"])
def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path, name, small_disk):
    """A file system of 200 KiB, for real: it is mounted in a name space of its own."""
    (tmp_path / "old").write_text("old")
    file = tmp_path / "disk" / name
    script = (
        f"cp {tmp_path}/old {file}; {sys.executable} -c '{WRITE}' {file}; "
        f"echo status $?; cat {file}; echo; ls -A {file.parent}"
    )
    found = small_disk(tmp_path / "disk", script, size="200k")
    assert f"{name}: no space is left to write it" in found.stderr
    assert found.stdout.split() == ["status", "1", "old", name]


@pytest.fixture
def small_disk():
    """A call of a shell with a small file system mounted at a folder."""

    def call(folder: Path, script: str, size: str) -> subprocess.CompletedProcess:
        folder.mkdir()
        mount = f"mount -t tmpfs -o size={size} none {folder}"
        if (
            shutil.which("unshare") is None
            or subprocess.run(
                ["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False
            ).returncode
        ):
            pytest.skip("mounting a small file system takes root")
        return subprocess.run(
            ["unshare", "-m", "sh", "-c", f"{mount} && {script}"],
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.mark.parametrize(("name", "write"), KINDS)
def test_a_given_file_that_is_damaged_is_not_said_to_be_remade(tmp_path, name, write):
    """As a model of an earlier call that its user gives to another world."""
    file = tmp_path / "given" / name
    file.parent.mkdir()
    write(file)
    broken = bytearray(file.read_bytes())
    broken[-20] ^= 1
    file.write_bytes(broken)
    with pytest.raises(PenumbraError, match="no rule makes it: put a whole copy there") as told:
        seals.check(file)
    assert "snakemake" not in str(told.value)
