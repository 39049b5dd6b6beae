"""The command as a whole: its help, version, completion, page, and what `list` says."""

import importlib.metadata
import os
import re
import shutil
import subprocess

import pytest
from PIL import Image

from penumbra import cli, plugins
from tests.planning.test_own_world import OWN


@pytest.fixture
def said(capsys):
    """What a call of the command prints, or its error."""

    def call(*arguments):
        status = cli.main(list(arguments))
        out, error = capsys.readouterr()
        assert (status == 0) == (not error)
        return error or out

    return call


def test_every_module_is_a_command():
    assert sorted(cli.COMMANDS) == [name for name in plugins.names("commands") if name != "shared"]


def test_every_command_stands_on_the_page_and_in_the_help(root):
    page, told = (root / "docs/command.md").read_text(), cli.parser().format_help()
    for name in cli.COMMANDS:
        assert f"\n## penumbra {name}\n" in page
        assert f"$ penumbra {name} " in page
        assert f"\n    {name}" in told
    assert "examples:" in told


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"penumbra {importlib.metadata.version('penumbra')}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion(said, tmp_path, shell):
    script = said("completion", shell)
    assert all(name in script for name in cli.COMMANDS)
    (tmp_path / "script").write_text(script)
    if shutil.which(shell) and shell != "tcsh":
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)
    if shell == "bash":
        ask = f". {tmp_path}/script; COMP_WORDS=(penumbra ex); COMP_CWORD=1; _shtab_penumbra; "
        ask += 'echo "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
        assert done.stdout.split() == ["explain"], done.stderr


def test_list_of_worlds(said):
    told = said("list")
    assert re.search("^embedded +The embedded world: real images that ship inside", told, re.M)
    assert re.search("^cifar +CIFAR-10 and CIFAR-100 at the papers' own sizes", told, re.M)
    assert "datasets" not in told


def test_list_of_a_world(said):
    told = said("list", "embedded")
    assert "uat_table01     uat, Table 1." in told
    assert "uat_figure05      uat, Figure 5." in told
    lines = {" ".join(line.split()) for line in told.splitlines()}
    assert "energy energy outputs: logits" in lines
    assert "ccfn-fixed ccfn block layer4.0: l2, max" in lines
    assert "knn knn outputs: features, fitted on train" in lines
    assert "odin odin network: gradients" in lines
    assert "resnet18 resnet ResNet-18" in lines
    assert "uat-tau3 uat extends uat" in lines
    assert "digits test there scikit-learn's handwritten digits" in lines


def test_list_of_a_world_of_ones_own(said, tmp_path):
    (tmp_path / "penumbra.yaml").write_text(OWN)
    told = said("list", str(tmp_path), "--tables", "--networks")
    assert told.splitlines()[1].startswith("own_scores  ")
    assert told.splitlines()[3:5] == ["Networks of the world mine", "net  resnet  Net"]


def test_list_says_which_data_are_there(said, tmp_path):
    flags = ("list", "cifar", "--datasets", "--config", f"data_root={tmp_path}")
    found = [line.split()[:4] for line in said(*flags).splitlines()]
    assert ["svhn", "test", "not", "there"] in found
    (tmp_path / "svhn/test/0").mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(tmp_path / "svhn/test/0/a.png")
    told = said(*flags)
    assert "Scorers" not in told
    assert ["svhn", "test", "there", "The"] in [line.split()[:4] for line in told.splitlines()]


def test_verify_of_no_folder(said, tmp_path):
    assert "there is no such folder; name the folder" in said("verify", str(tmp_path / "reslts"))
    file = tmp_path / "own.csv"
    file.write_text("")
    assert "own.csv: is a file; name the folder" in said("verify", str(file))
    assert "holds no artifacts" in said("verify", str(tmp_path))


def test_list_of_a_wrong_world(said, tmp_path):
    (tmp_path / "x.yaml").write_text("world: x\nscorers: {a: {module: enrgy}}\n")
    assert "did you mean 'energy'" in said("list", str(tmp_path / "x.yaml"))
    assert said("list", "ciffar").startswith("error: command line: unknown world 'ciffar'")


def test_show_of_what_is_no_file(said, tmp_path):
    gone = str(tmp_path / "gone")
    for more in ([], ["--reported"], ["--cell", "1", "1"]):
        assert said("show", gone, *more).startswith(f"error: {gone}: there is no such file")
        assert said("show", str(tmp_path), *more).startswith(f"error: {tmp_path}: is a folder")


@pytest.mark.parametrize("pair", ["data_root", "=x"])
def test_a_key_without_a_value_is_told(pair, capsys):
    with pytest.raises(SystemExit):
        cli.main(["list", "cifar", "--config", pair])
    assert f"{pair!r} is not KEY=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["recipes.standard.epochs", "1seed", "compute/threads"])
def test_a_key_below_another_is_told_to_go_into_a_file(key, capsys):
    with pytest.raises(SystemExit):
        cli.main(["list", "cifar", "--config", f"{key}=3"])
    assert f"{key!r} is no key: a key of the first level is given" in capsys.readouterr().err


def test_an_empty_target_is_told(capsys):
    assert cli.main(["explain", ""]) == 1
    assert "an empty target; is a variable of the shell empty?" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_told_first(tmp_path, capsys):
    (tmp_path / "closed").mkdir(mode=0o500)
    words = ["arrays", "--test", "none.npz", "--ood", "a=none.npz", "--out"]
    assert cli.main([*words, str(tmp_path / "closed/x.csv")]) == 1
    assert "the folder cannot be written to" in capsys.readouterr().err
    assert cli.main(["init", str(tmp_path / "closed/w"), "--id", "none", "--ood", "a=none"]) == 1
    assert "cannot be written to; name another place" in capsys.readouterr().err
