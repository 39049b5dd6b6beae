"""A call that is ended while it trains, and the same call again: it goes on to the same bytes."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from penumbra.calls.records import CALL
from tests.workflow.conftest import FLAGS, TINY, Tiny

MODEL = "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors"
LONG = TINY.replace("standard: {epochs: 1,", "standard: {epochs: 40,").replace(
    "image_sets:", "image_sets:\n  digits-train: {limit: 256}"
)
PATIENCE = 60  # seconds
LEFT = "processes of a call that was killed still run"
BY_ITSELF = ("--set-threads", "models=2")  # a job of two threads is not forked from the starter


class Disturbed(Tiny):
    """A small world whose one training takes some seconds."""

    def call(self, *arguments):
        """The call, in a process group of its own."""
        command = [sys.executable, "-m", "snakemake", MODEL, *FLAGS, *arguments]
        self.said = self.folder / "said"
        with self.said.open("w") as said:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=said, stderr=said, start_new_session=True
            )

    def start(self, *arguments):
        """The call, once its training is in the second epoch."""
        self.call(*arguments)
        until(lambda: "epoch 1/" in self.said.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said.read_text()[-3000:]

    def ended(self):
        """Exit status, and all that the call said."""
        return self.process.wait(PATIENCE), self.said.read_text()

    def training(self):
        """The processes of the training."""
        return [p for p in self.processes() if "penumbra.stages.models" in p.cmdline()]

    def processes(self):
        """What still works in the folder."""
        return [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(self.folder)]


def sockets(world):
    """The sockets that the world's processes listen at: other tests run calls of their own."""
    connections = (p.net_connections("unix") for p in world.processes())
    return {str(each.laddr) for those in connections for each in those}


def until(there):
    end = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    made = Disturbed(tmp_path_factory.mktemp("calm"), LONG)
    made.run(MODEL)
    return made


@pytest.fixture
def world(calm, tmp_path):
    """The calm world before its training."""
    copy = object.__new__(Disturbed)
    copy.folder = tmp_path / "world"
    shutil.copytree(calm.folder, copy.folder)
    shutil.rmtree(copy.folder / "results/tiny/models")
    yield copy
    for process in copy.processes():
        process.kill()


def goes_on(world, calm):
    """The plain call again ends well, with the bytes of the calm one; what it said."""
    said = world.run(MODEL).output
    as_calm(world, calm)
    return said


def as_calm(world, calm):
    """The training has the bytes of the calm one, and nothing works in the folder any more."""
    assert (world.folder / MODEL).read_bytes() == (calm.folder / MODEL).read_bytes()
    assert not world.processes()


def test_interrupted_alone_it_ends_its_jobs_which_save_their_state(world, calm):
    world.start()
    world.process.send_signal(signal.SIGINT)
    status, said = world.ended()
    assert status != 0
    assert "interrupted: the jobs are ended" in said
    assert re.search(r"error: stopped by a signal .* the state is saved, [^\n]*\n\Z", said)
    assert not (world.folder / MODEL).exists()
    assert "resuming in epoch" in goes_on(world, calm)


def test_interrupted_from_a_terminal_with_all_its_jobs(world, calm):
    """Ctrl-C is sent to all processes of the group."""
    world.start()
    os.killpg(world.process.pid, signal.SIGINT)
    status, said = world.ended()
    assert status != 0
    assert "Traceback" not in said
    assert "resuming in epoch" in goes_on(world, calm)


def test_interrupted_twice_it_kills_a_job_that_does_not_end(world, calm):
    world.start(*BY_ITSELF)
    for stage in world.training():
        stage.suspend()
    world.process.send_signal(signal.SIGINT)
    until(lambda: "interrupted" in world.said.read_text())
    time.sleep(0.5)
    assert world.process.poll() is None
    world.process.send_signal(signal.SIGINT)
    assert world.ended()[0] != 0
    assert not world.processes()
    goes_on(world, calm)


def test_terminated_it_says_whom_it_waits_for_and_how_to_end_them(world, calm):
    world.start()
    world.process.send_signal(signal.SIGTERM)
    status, said = world.ended()
    assert status != 0
    assert "waits for 1: models digits resnet18 standard 0. To end them at once: Ctrl-C" in said
    assert f"kill -INT {world.process.pid}" in said
    assert "Nothing to be done" in goes_on(world, calm)


@pytest.mark.parametrize("how", [(), BY_ITSELF], ids=["forked", "by itself"])
def test_killed_alone_the_next_call_ends_its_jobs_and_lifts_its_lock(world, calm, how):
    """Temporary folders of the killed one are gone after it, too."""
    world.start(*how)
    # It stands still, so that it has not ended of its own before the next call sees it.
    stages = world.training() if how == BY_ITSELF else []
    assert bool(stages) == (how == BY_ITSELF)
    for stage in stages:
        stage.suspend()
    left = world.folder / ".snakemake/shell_tmp.left"
    left.mkdir()
    world.process.kill()
    world.ended()
    assert list((world.folder / ".snakemake/locks").glob("*.lock"))
    world.call()
    if stages:
        until(lambda: LEFT in world.said.read_text() or world.process.poll() is not None)
    for stage in stages:
        stage.resume()
    assert world.process.wait() == 0
    said = world.said.read_text()
    as_calm(world, calm)
    assert "was killed; its lock on this folder is lifted" in said
    assert (LEFT in said) == (how == BY_ITSELF)
    assert "resuming " in said
    assert not left.exists()
    assert not list((world.folder / ".snakemake/calls").iterdir())


def test_killed_with_all_its_jobs(world, calm):
    world.start()
    folders = {Path(name).parent for name in sockets(world) if "/penumbra-" in name}
    assert folders
    os.killpg(world.process.pid, signal.SIGKILL)
    world.ended()
    assert "its lock on this folder is lifted" in goes_on(world, calm)
    assert not any(folder.exists() for folder in folders)


def test_the_lock_of_a_call_that_lives_or_may_live_elsewhere_stays(world):
    """A second call is refused; so is the next where jobs of a killed one may run on a cluster."""
    world.start()
    world.process.send_signal(signal.SIGSTOP)  # so that it lives, however slow the second is
    second = world.run(MODEL, check=False)
    assert second.returncode != 0
    assert f"process {world.process.pid} on " in second.output
    assert "cannot be locked" in second.output
    record = next((world.folder / ".snakemake/calls").glob("*.json"))
    record.write_text(record.read_text().replace('"local"', '"slurm"'))
    world.process.kill()
    world.ended()
    refused = world.run(MODEL, check=False)
    assert refused.returncode != 0
    assert "its jobs may still run (squeue --me" in refused.output
    assert "snakemake --unlock, then this call again" in refused.output
    world.run("--unlock")
    # A job of the killed call on a node that is this machine goes on.
    marked = {**os.environ, CALL: record.stem}
    job = subprocess.Popen(["sleep", "600"], env=marked)
    world.run(MODEL)
    assert job.poll() is None
    job.kill()
    assert not list((world.folder / ".snakemake/calls").iterdir())
