"""No command writes over what it reads, or over what a later job reads."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penumbra import cli
from penumbra.commands.shared import output
from penumbra.errors import PenumbraError
from penumbra.store.artifacts import write_parquet


@pytest.fixture
def given(tmp_path):
    """A file that a call reads, as Parquet, under two names, and a list of it."""
    file = tmp_path / "in.parquet"
    pq.write_table(pa.table({"image": [b"mine"]}), file)
    (tmp_path / "link.parquet").symlink_to(file)
    (tmp_path / "list.csv").write_text(f"{file}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("image", "out"),
    [
        ("in.parquet", "in.parquet"),
        ("in.parquet", "link.parquet"),
        ("@list.csv", "list.csv"),
        ("@list.csv", "in.parquet"),
    ],
)
def test_scores_are_not_written_over_images(given, capsys, monkeypatch, image, out):
    monkeypatch.chdir(given)
    before = (given / out).read_bytes()
    assert cli.main(["score", "none.safetensors", image, "--out", out]) == 1
    assert f"{out}: this call reads it, and would write over it" in capsys.readouterr().err
    assert (given / out).read_bytes() == before


def test_scores_are_not_written_over_arrays(given, capsys):
    file = str(given / "in.parquet")
    before = (given / "in.parquet").read_bytes()
    words = ["arrays", "--test", "none.npz", "--ood", f"n={file}", "--scores", file]
    assert cli.main(words) == 1
    assert "this call reads it" in capsys.readouterr().err
    assert (given / "in.parquet").read_bytes() == before


def test_an_artifact_of_a_world_is_written_over_by_no_command(tmp_path):
    file = tmp_path / "scores.parquet"
    write_parquet(file, pa.table({"score": [1.0]}), {"rule": "scores"})
    with pytest.raises(PenumbraError, match="an artifact of a world is there"):
        output.check(file, (".parquet",))
    file.unlink()
    pq.write_table(pa.table({"score": [1.0]}), file)  # as `penumbra score` writes it
    output.check(file, (".parquet",))
