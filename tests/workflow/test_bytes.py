"""Results have the bytes that they had: an edit of plumbing that moves them is not forgotten."""

import os
import subprocess
import sys

import pytest

from penumbra.store.closure import FORMAT
from tests.workflow import golden
from tests.workflow.conftest import FLAGS, TARGETS


def test_the_small_world_has_the_bytes_of_its_format(finished, root, tmp_path):
    """Of this processor's kind as committed; on a kind that has none, as the last release's."""
    kept = golden.read()
    assert kept["format"] == FORMAT, "FORMAT was raised: call python -m tests.workflow.golden"
    results = finished.folder / "results/tiny"
    wanted = kept["processors"].get(golden.processor())
    if wanted is None:
        wanted = of_release(root, tmp_path, kept["release"], finished)
    found = golden.digests(results)
    same = set(found) & set(wanted)
    assert len(same) > 20
    moved = sorted(name for name in same if found[name] != wanted[name])
    assert not moved, (
        "these bytes are others than before; where that is meant, and no module that a digest "
        "holds says so, raise FORMAT in store/closure.py, then call python -m tests.workflow.golden"
    )


def of_release(root, folder, release, finished):
    """The same world by the code of a commit."""
    archive = ["git", "-C", str(root), "archive", "--output", str(folder / "code.tar"), release]
    if subprocess.run(archive, capture_output=True).returncode:
        pytest.skip(f"commit {release} is not in this checkout, and this processor is new")
    made = folder / "release"
    made.mkdir()
    subprocess.run(["tar", "-xf", str(folder / "code.tar"), "-C", str(made)], check=True)
    for name in ("tiny.yaml", "config/tables/chain.yaml"):
        (made / name).write_bytes((finished.folder / name).read_bytes())
    call = [sys.executable, "-m", "snakemake", *TARGETS, *FLAGS]
    subprocess.run(call, cwd=made, env=os.environ | {"PYTHONPATH": ""}, check=True)
    return golden.digests(made / "results/tiny")
