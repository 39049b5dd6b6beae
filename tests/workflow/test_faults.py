"""What goes wrong on one machine: nothing damaged is used, nothing computed is lost."""

import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.workflow.conftest import FLAGS, Tiny

IMAGES = "results/tiny/images/faces.parquet"
MODEL = "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors"
READ = "results/tiny/outputs/digits/resnet18/standard/seed0/clean.parquet"


def test_a_flipped_byte_is_refused_by_name_and_remade(again):
    """In an image set and a checkpoint that a later rule reads; the message tells what mends it."""
    calm = again.results()
    for name in (IMAGES, MODEL):
        file = again.folder / name
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 4
        file.write_bytes(data)
        (again.folder / READ).unlink()
        done = again.run(READ, check=False)
        assert done.returncode != 0
        assert f"{name}: damaged" in done.output
        assert not (again.folder / READ).exists()
        remake = done.output.split("remake it: snakemake ")[1].split(" with the ")[0].split()
        again.snakemake(*remake, *FLAGS[:2])
        again.run()
        assert again.results() == calm


def test_all_artifacts_of_a_folder_are_verified(again, capsys):
    from penumbra.cli import main

    assert main(["verify", str(again.folder / "results")]) == 0
    assert "all as they were written" in capsys.readouterr().out
    for name in (IMAGES, MODEL):
        file = again.folder / name
        file.write_bytes(file.read_bytes()[:-1])
    assert main(["verify", str(again.folder / "results")]) == 1
    told = capsys.readouterr().err
    assert "2 of" in told
    assert all(f"{name}: damaged" in told for name in (IMAGES, MODEL))
    shutil.rmtree(again.folder / "results")
    assert main(["verify", str(again.folder / "results")]) == 1


def test_a_full_disk_ends_the_job_and_keeps_the_rest(finished, tmp_path):
    """Results lie on a file system of 100 KiB, which then grows: the same bytes as ever."""
    made = Tiny(tmp_path)
    call = shlex.join([sys.executable, "-m", "snakemake", IMAGES, MODEL, *FLAGS])
    script = f"""
        mkdir results && mount -t tmpfs -o size=100k none results || exit 77
        {call}; echo first $?
        ls results/tiny/images
        mount -o remount,size=100m results
        {call}; echo second $?
        cp -a results kept
    """
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: mounting a small file system takes Linux and root")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode in (1, 77) and "first" not in done.stdout:
        pytest.skip("mounting a small file system takes root")
    told = done.stdout + done.stderr
    train = "results/tiny/images/digits-train.parquet"
    assert f"error: {train}: no space is left to write it" in told
    assert "first 1" in done.stdout
    assert "faces.parquet" in done.stdout.split("first 1")[1].split("second")[0]
    assert "second 0" in done.stdout
    calm = finished.results()
    for name in (IMAGES, MODEL, train):
        inside = name.removeprefix("results/")
        assert (made.folder / "kept" / inside).read_bytes() == calm[inside.removeprefix("tiny/")]


def test_code_edited_while_a_job_waits_is_not_run(tmp_path):
    """The digest of the plan is that of the code that runs, or nothing runs."""
    made = Tiny(tmp_path)
    plan = made.run(IMAGES, "-n", "-p").output
    command = next(line for line in plan.splitlines() if "penumbra.stages.images" in line)
    made.edit("workflow/penumbra/images/image_set.py", "GROUP = 64 * 2**20", "GROUP = 65 * 2**20")
    path = Path(sys.executable).parent
    python = f'PATH="{path}:$PATH" PYTHONPATH=workflow; mkdir -p logs/tiny/images;'
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"export {python} {command[command.index('python -m') :].split(' 2>&1')[0]}",
        ],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "the code changed after the jobs were planned; call snakemake again" in done.stderr
    assert not (made.folder / IMAGES).exists()


def test_two_calls_on_one_folder(tmp_path):
    """The second is refused while the first runs; the first ends well."""
    made = Tiny(tmp_path)
    command = [sys.executable, "-m", "snakemake", MODEL, *FLAGS]
    first = subprocess.Popen(
        command, cwd=made.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in first.stdout:
        if "epoch 1/" in line or "Execute" in line:
            break
    first.send_signal(signal.SIGSTOP)  # so that it is under way, however slow the second starts
    second = made.run(MODEL, check=False)
    first.send_signal(signal.SIGCONT)
    assert second.returncode != 0
    assert "cannot be locked" in second.output
    first.communicate()
    assert first.returncode == 0
    assert (made.folder / MODEL).is_file()


def test_images_that_changed_without_a_sign_are_found(tmp_path, capsys):
    """Of equal size and under the same name, a picture reruns nothing; `verify --data` sees it."""
    from penumbra.cli import main

    made, data = Tiny(tmp_path / "world"), tmp_path / "data"
    picture = data / "mine/test/a.bmp"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (32, 32), "grey").save(picture)
    entry = "{title: Mine, reader: stored, licence: none, source: here, labelled: false, size: 32, "
    (made.folder / "tiny.yaml").write_text(
        "world: tiny\ntables: []\nfigures: []\n"
        "image_sets:\n  mine: {dataset: mine, split: test}\n"
        f"datasets:\n  mine: {entry} splits: {{test: {{}}}}}}\n"
    )
    call = ("results/tiny/images/mine.parquet", IMAGES, "--config", f"data_root={data}")
    made.run(*call)
    results = ("verify", str(made.folder / "results"), "--data", str(data))
    assert main([*results]) == 0
    Image.new("RGB", (32, 32), "black").save(picture)
    assert "Nothing to be done" in made.run(*call).output
    assert main([*results]) == 1
    told = capsys.readouterr().err
    assert "mine.parquet: the files of data set mine have changed" in told
    assert "1 of 2 artifacts" in told
