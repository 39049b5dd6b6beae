"""How `run` calls Snakemake, and which world words name."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from penumbra import cli
from penumbra.commands import run
from penumbra.commands.shared import world
from penumbra.errors import PenumbraError
from penumbra.home import HOME


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """An empty folder in which a test works, beside a folder that is a world."""
    (tmp_path / "world").mkdir()
    (tmp_path / "world/penumbra.yaml").write_text("world: mine\n")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def command(*words):
    """Snakemake's arguments, behind those that every call has."""
    own, rest = cli._own(["run", *words])
    arguments = cli.parser().parse_args(own)
    arguments.rest = rest
    made = run.command(arguments)
    assert made[:3] == [sys.executable, "-m", "snakemake"]
    assert f"--snakefile {HOME / 'workflow/Snakefile'}" in " ".join(made)
    return " ".join(made[3:]).replace(f"--snakefile {HOME / 'workflow/Snakefile'}", "")


DEFAULT = f" --workflow-profile {HOME}/profiles/default"


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("", f"{DEFAULT} --cores all"),
        ("uat_table01 --cores 3 -n", f"uat_table01{DEFAULT} --cores 3 --dry-run"),
        ("embedded all_figures", f"all_figures{DEFAULT} --cores all"),
        (
            "cifar cifar-cpu",
            f"--configfile {{c}}/cifar.yaml {{c}}/cifar-cpu.yaml{DEFAULT} --cores all",
        ),
        (
            "../world uat_table01 own_scores --config seeds=3 --config download=true",
            "uat_table01 own_scores --directory ../world --configfile {w}/penumbra.yaml"
            f" --config seeds=3 download=true{DEFAULT} --cores all",
        ),
        (
            "../world/penumbra.yaml -- -k --jobs 3 -- x",
            f" --configfile {{w}}/penumbra.yaml{DEFAULT} -k --jobs 3 -- x",
        ),
        # A figure of a paper without a file: Snakemake's rule of that name says why.
        ("badood_figure04 --cores 1", f"badood_figure04{DEFAULT} --cores 1"),
        ("x.csv --profile slurm", f"x.csv{DEFAULT} --profile {HOME}/slurm"),
        ("../a/b --profile site --cores 4", f"../a/b{DEFAULT} --profile site --cores 4"),
        ("-- --workflow-profile none -j4", " --workflow-profile none -j4"),
    ],
)  # fmt: skip
def test_calls(mine, words, flags):
    wanted = flags.format(c=HOME / "config", w=mine.parent / "world")
    assert command(*words.split()).split() == wanted.split()


def test_a_profile_of_this_folder_goes_before_one_that_ships(mine):
    (mine / "slurm").mkdir()
    assert command("--profile", "slurm").endswith(" --profile slurm")


def test_a_folder_that_is_a_world_goes_before_one_that_ships(mine):
    (mine / "cifar").mkdir()
    assert "config/cifar.yaml" in command("cifar")  # it may hold data
    (mine / "cifar/penumbra.yaml").write_text("world: mine\n")
    assert f"--directory cifar --configfile {mine}/cifar/penumbra.yaml" in command("cifar")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("cifar -- --configfile x.yaml", "--configfile behind -- would take the place"),
        ("--config seeds=3 -- -C seeds=4", "--config behind -- would take the place"),
        ("../world -- -d x", "--directory behind -- would take the place"),
        ("none.yaml", "none.yaml: there is no such file of config"),
        ("..", r"\.\.: the folder holds no penumbra.yaml"),
        ("../world cifar", "a folder is a whole world"),
        ("uat_table1", "table or figure of embedded 'uat_table1'; did you mean 'uat_"),
        ("ciffar all_tables", "did you mean 'cifar'"),
    ],
)
def test_what_is_refused(mine, words, message):
    with pytest.raises(PenumbraError, match=message):
        command(*words.split())


def test_a_world_that_is_none(mine):
    with pytest.raises(PenumbraError, match="did you mean 'cifar'"):
        world.choose(["ciffar"])


def test_every_shipped_file_of_config_is_a_world_or_is_read_by_all(root):
    names = {file.stem for file in (root / "config").glob("*.yaml")}
    assert names - set(world.shipped()) == {"config", "datasets", "own", "weights"}
    assert set(world.shipped()) >= {"embedded", "embedded-full", "cifar", "cifar-cpu", "imagenet"}
    assert next(iter(world.shipped())) == "embedded"
    assert "config" not in world.shipped()


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "penumbra", "run", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HOME / "workflow")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_real_call(mine):
    """The process is Snakemake's; results lie in the world's folder; its exit status is given."""
    faces = "results/mine/images/faces.parquet"
    call = start(mine, "../world", faces, "--cores", "1")
    said = call.stdout.read()
    assert call.wait() == 0, said
    assert (mine.parent / "world" / faces).is_file()
    assert not list(mine.iterdir())
    assert start(mine, "no_such_target").wait() == 1


def test_a_signal_reaches_snakemake(mine):
    """Once: the training saves its state, and is not killed as by a second interrupt."""
    call = start(mine, "../world", "uat_figure05", "--cores", "1")
    for line in call.stdout:  # as it comes
        if line.startswith("models digits/resnet18/uat/0: epoch 2/"):
            break
    assert "snakemake" in psutil.Process(call.pid).cmdline()
    call.send_signal(signal.SIGINT)
    said = call.stdout.read()
    assert call.wait() == 1
    assert said.count("interrupted: the jobs are ended") == 1
    assert list((mine.parent / "world/scratch/models").glob("*.safetensors"))


@pytest.mark.parametrize("cores", ["0", "-3", "two", ""])
def test_a_number_of_cores_that_would_wait_for_ever_is_refused(mine, capsys, cores):
    with pytest.raises(SystemExit):
        command("embedded", f"--cores={cores}")
    assert f"{cores!r} is no number of cores; write 1 or more, or all" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_no_target(mine):
    with pytest.raises(PenumbraError, match=r"nodir/: there is no such folder; `penumbra init`"):
        command("nodir/", "-n")
