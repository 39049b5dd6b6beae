"""A job that fails is a failed call, which ends with the words of the stage."""

import os
import subprocess
import sys
import time

import pytest

from tests.workflow.conftest import FLAGS, Tiny

SETS = {
    "faces": "penumbra.scores.msp behind its closure",
    "textures": "ValueError: no such luck",
    "letters": "error: mend this",
    "digits-test": "error: too little memory (Unable to allocate 7.11 PiB for an array",
    "histology": "error: the job ended without a message, as one does that is killed",
}
# How the job of an image set ends, after it has written all that it should.
FAULTY = """
import os
import time


def fail(name):
    if name == "faces":
        __import__("penumbra.scores.msp")
    if name == "textures":
        raise ValueError("no such luck")
    if name == "letters":
        from penumbra.errors import PenumbraError
        raise PenumbraError("mend this")
    if name == "digits-test":
        __import__("numpy").empty((10**9, 10**6))
    if name == "histology":
        os.kill(os.getpid(), 9)


if __name__ == "__main__":
"""
ENDS = '    job.record(job.outputs["images"])\n'
STAGE = "workflow/penumbra/stages/images.py"


def break_stage(made):
    """Let the jobs of four image sets fail."""
    made.edit(STAGE, 'if __name__ == "__main__":\n', FAULTY.lstrip("\n"))
    made.edit(STAGE, ENDS, ENDS + '    fail(config["name"])\n')


def broken(folder):
    made = Tiny(folder)
    break_stage(made)
    return made


def images(name):
    return f"results/tiny/images/{name}.parquet"


@pytest.mark.parametrize("threads", ["1", "2"], ids=["forked", "by itself"])
def test_every_way_to_fail_is_a_failed_call(tmp_path, threads):
    made = broken(tmp_path)
    targets = [images(name) for name in (*SETS, "night-sky")]
    done = made.run(*targets, "--keep-going", "--set-threads", f"images={threads}", check=False)
    assert done.returncode != 0
    last = done.stderr.split("At least one job did not complete successfully.")[1]
    assert last.count("rule images failed\n") == len(SETS)
    assert all(words in last for words in SETS.values())
    assert "atency" not in done.output
    for name in SETS:
        assert not (made.folder / images(name)).exists()
    assert (made.folder / images("night-sky")).is_file()


def test_the_last_line_is_the_message_and_the_wait_for_others_is_told(tmp_path):
    """One job fails while another runs; nothing new starts."""
    made = broken(tmp_path)
    made.edit(
        STAGE,
        'if name == "faces":\n',
        'if name == "night-sky":\n        time.sleep(2)\n    if name == "faces":\n',
    )
    done = made.run(images("letters"), images("night-sky"), check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1] == "error: mend this"
    assert (
        "a job failed: no more jobs start, and this call waits for 1: images night-sky"
        in done.stderr
    )
    assert (made.folder / images("night-sky")).is_file()


def test_a_terminal_without_unicode_ends_no_job(tmp_path):
    """Stages print ×; a data set lies below a folder whose name is not ASCII."""
    made = Tiny(tmp_path)
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", images("faces"), *FLAGS],
        cwd=made.folder,
        env=os.environ | plain,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "24 images of" in (made.folder / "logs/tiny/images/faces.log").read_text("utf-8")
    assert (made.folder / (images("faces") + ".run.json")).is_file()


def test_a_file_of_a_time_to_come_ends_the_call_before_its_jobs(tmp_path):
    made = Tiny(tmp_path)
    train, model = "results/tiny/images/digits-train.parquet", "digits/resnet18/standard/seed0"
    made.run(train)
    later = time.time() + 86400
    os.utime(tmp_path / train, (later, later))
    ended = made.run(f"results/tiny/models/{model}/model.safetensors", check=False)
    assert ended.returncode
    assert "files that jobs read are of a time to come" in ended.output
    assert train in ended.output
    assert not (tmp_path / "results/tiny/models").exists()
