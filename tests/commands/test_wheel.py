"""The wheel: all that a call needs is in it, and from an empty folder it computes a table."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

ONE = """
seeds: [0]
benchmarks:
  digits: {ood: {far: [textures, faces]}}
recipes:
  standard: {epochs: 4}
"""
ASK = "import penumbra.home as home; print(home.__file__, home.IS_INSTALLED, home.HOME, sep='\\n')"


def call(*command, cwd, status=0):
    """A process that knows nothing of this checkout."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    """The wheel, built of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    call(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=root)
    (sdist,) = folder.glob("*.tar.gz")
    call("tar", "-xzf", sdist, cwd=folder)
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=unpacked)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of programs of an environment that has the wheel, and our dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    others = folder / "others"
    others.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "penumbra" not in entry.name and entry.suffix != ".pth":
            (others / entry.name).symlink_to(entry)
    (site / "others.pth").write_text(f"{others}\n")
    python = folder / "venv/bin/python"
    call(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-index", wheel, cwd=folder
    )
    return python.parent


def tracked(root, *folders):
    told = ("--cached", "--others", "--exclude-standard")
    listed = call("git", "ls-files", *told, *folders, cwd=root).splitlines()
    if not listed:
        pytest.skip("git knows nothing of this copy")
    return listed


def test_all_that_git_knows_is_in_it(root, wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = set()
    for file in tracked(root, "config", "workflow", "profiles", "slurm", "envs/penumbra.yaml"):
        module = file.removeprefix("workflow/")
        is_module = module.startswith("penumbra/")
        wanted.add(module if is_module else f"penumbra/shipped/{file}")
    assert wanted - names == set()
    others = {name for name in names - wanted if ".dist-info/" not in name}
    assert others == set()  # no tests, no caches


def test_it_is_the_package_that_runs(installed, tmp_path):
    module, is_installed, home = call(installed / "python", "-c", ASK, cwd=tmp_path).splitlines()
    assert Path(module).is_relative_to(installed.parent)
    assert is_installed == "True"
    assert Path(home).is_relative_to(installed.parent)
    assert "penumbra 0." in call(installed / "penumbra", "--version", cwd=tmp_path)


def test_a_table_from_an_empty_folder(installed, tmp_path):
    """About 40 seconds on two busy cores: a training, scores of one scorer's variants, a table."""
    mine, penumbra = tmp_path / "empty", installed / "penumbra"
    mine.mkdir()
    (tmp_path / "one.yaml").write_text(ONE)
    said = call(penumbra, "run", "../one.yaml", "uat_table13", "--cores", "2", cwd=mine)
    assert "steps (100%) done" in said
    table = "results/embedded/tables/uat_table13.parquet"
    assert "uat, Table 13" in call(penumbra, "show", table, cwd=mine)
    rows = pq.read_table(mine / table).to_pylist()
    values = [row["mean"] for row in rows if row["mean"] is not None]
    assert len(values) > 8
    assert all(0 <= value <= 1 for value in values)
    assert "nothing to do" in call(penumbra, "explain", "uat_table13", "../one.yaml", cwd=mine)


def test_the_slurm_profile_is_found(installed, tmp_path):
    (tmp_path / "one.yaml").write_text(ONE)
    words = ("one.yaml", "uat_table13", "--profile", "slurm", "-n")
    said = call(installed / "penumbra", "run", *words, cwd=tmp_path)
    assert "shipped/slurm" in said
    assert "rule tables:" in said


def test_environments_of_snakemake_are_refused(installed, tmp_path):
    (tmp_path / "one.yaml").write_text(ONE)
    words = ("one.yaml", "uat_table13", "-n", "--", "--sdm", "conda")
    said = call(installed / "penumbra", "run", *words, cwd=tmp_path, status=1)
    assert "the installed package runs its jobs in the environment that it is installed in" in said
    assert not (tmp_path / "results").exists()
