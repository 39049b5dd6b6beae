"""The workflow called from other folders, and as a module of another workflow."""

import os
import subprocess
import sys

import pytest

from tests.workflow.conftest import TINY, Tiny

FACES = "results/{}/images/faces.parquet"
MODULE = """
configfile: "mine.yaml"


module ood:
    snakefile:
        "{}/workflow/Snakefile"
    config:
        config


use rule * from ood as ood_*


rule mine:
    default_target: True
    input:
        "results/tiny/images/faces.parquet",
    output:
        "mine.txt",
    shell:
        "wc -c <{{input}} >{{output}}"
"""


@pytest.fixture
def elsewhere(tmp_path):
    """A checkout, and a folder of a user's own with a config."""
    made, mine = Tiny(tmp_path / "penumbra"), tmp_path / "mine"
    mine.mkdir()
    (mine / "mine.yaml").write_text(TINY)
    return made.folder, mine


def call(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "directory"), [("Snakefile", None), ("workflow/Snakefile", "run")]
)
def test_from_another_folder(elsewhere, file, directory):
    """Its own config comes from its own folder; results lie where the call works."""
    penumbra, mine = elsewhere
    where = ("--directory", directory) if directory else ()
    snakefile = ("-s", str(penumbra / file))
    call(mine, FACES.format("tiny"), *snakefile, *where, "--configfile", "mine.yaml")
    assert (mine / (directory or ".") / FACES.format("tiny")).is_file()
    plan = call(mine, "uat_table05", "-n", *snakefile, *where)
    assert "embedded" in plan
    assert not (penumbra / "results").exists()


def test_tables_lie_beside_a_config_file(elsewhere):
    penumbra, mine = elsewhere
    (mine / "tables").mkdir()
    (mine / "tables/mine.yaml").write_text("like: uat_table01\ntitle: A table of my own.\n")
    (mine / "mine.yaml").write_text(TINY.replace("[uat_table01, uat_table13]", "[mine]"))
    plan = call(mine, "mine", "-n", "-s", str(penumbra / "Snakefile"), "--configfile", "mine.yaml")
    assert "results/tiny/tables/mine.parquet" in plan


def test_as_a_module_of_another_workflow(elsewhere):
    """Its config need say only what differs; its rules have a prefix."""
    penumbra, mine = elsewhere
    (mine / "Snakefile").write_text(MODULE.format(penumbra))
    assert "ood_images" in call(mine)
    size = (mine / FACES.format("tiny")).stat().st_size
    assert int((mine / "mine.txt").read_text()) == size
    assert "ood_models" in call(mine, "ood_uat_table01", "-n")
