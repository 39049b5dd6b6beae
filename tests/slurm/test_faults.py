"""What a cluster does to jobs: each fault on a real one, and the bytes of an undisturbed run after.

One training of some seconds stands for one of days; every fault comes in the middle of it.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.processes import working_in
from tests.slurm.cluster import descendants
from tests.slurm.worlds import ON_CLUSTER, OnCluster

MODEL = "results/tiny/models/digits/resnet18/standard/seed0/model.safetensors"
IMAGES = "results/tiny/images/faces.parquet"
LOG = "logs/tiny/models/digits/resnet18/standard/seed0.log"
EPOCHS = 40


@pytest.fixture(scope="module")
def calm(cluster, tmp_path_factory):
    """The model, trained on this machine without a fault; its images are there for all tests."""
    config = ON_CLUSTER.replace("epochs: 2,", f"epochs: {EPOCHS},")
    made = OnCluster(tmp_path_factory.mktemp("calm"), cluster, config)
    made.run(MODEL, IMAGES)
    return made


@pytest.fixture
def world(calm, tmp_path):
    """A checkout with the training images, before the training."""
    copy = object.__new__(OnCluster)
    copy.folder, copy.cluster = tmp_path / "world", calm.cluster
    shutil.copytree(calm.folder, copy.folder)
    for name in (MODEL, IMAGES, LOG):
        (copy.folder / name).unlink()
    return copy


def same(world, calm):
    """The model is that of the undisturbed run to the last byte, and nothing is left over."""
    assert (world.folder / MODEL).read_bytes() == (calm.folder / MODEL).read_bytes()
    assert not list((world.folder / "scratch").rglob("*.safetensors"))
    assert not list((world.folder / "results").rglob("*.tmp"))


def log_of(world):
    file = world.folder / LOG
    return file.read_text() if file.exists() else ""


def wait_for(world, *signs):
    """Wait until the training's log has all of the signs."""
    world.cluster.wait(
        lambda: all(sign in log_of(world) for sign in signs), f"{signs} in {LOG}", "slurmctld"
    )


def running(world):
    """The id of the job of this checkout that runs."""
    found = world.cluster.run("squeue", "--noheader", "--format=%i %T %Z").stdout.splitlines()
    rows = [line.split(" ", 2) for line in found]
    return next(row[0] for row in rows if row[1:] == ["RUNNING", str(world.folder)])


def states(world):
    """How each start of the checkout's jobs ended."""
    rows = world.cluster.jobs("--duplicates")
    return [row["State"].split()[0] for row in rows if row["WorkDir"] == str(world.folder)]


def stages(world):
    """The training's processes, of this checkout alone."""
    working = working_in(world.folder)
    return [number for number, command in working if "penumbra.stages.models" in command]


def hold(world, sign):
    """Let the training stand still once its log has the sign, which then is new again."""
    wait_for(world, sign)
    for pid in stages(world):
        os.kill(pid, signal.SIGSTOP)
    (world.folder / LOG).unlink()


def test_cancelled_then_its_node_dies_then_the_controller_restarts(world, calm):
    """Three faults of one training, which goes on each time from where it was."""
    process = world.start(MODEL)
    wait_for(world, "epoch 3/")
    world.cluster.cancel(running(world))
    hold(world, "resuming ")
    world.cluster.kill_node("g1")
    time.sleep(2)
    world.cluster.start_node("g1")
    hold(world, "resuming ")
    world.cluster.stop_controller()
    time.sleep(3)
    world.cluster.start_controller()
    for pid in stages(world):
        os.kill(pid, signal.SIGCONT)
    world.end(process)
    world.settled()
    assert states(world) == ["CANCELLED", "NODE_FAIL", "COMPLETED"]
    same(world, calm)


def test_cut_off_by_its_time_limit(world, calm):
    """A minute passes while it stands still; Slurm ends it, and the retry goes on."""
    process = world.start(
        MODEL, "--set-resources", "models:runtime=attempt", "models:slurm_extra=''"
    )
    hold(world, "epoch 3/")
    world.end(process)
    world.settled()
    assert states(world) == ["TIMEOUT", "COMPLETED"]
    assert "resuming " in log_of(world)
    same(world, calm)


def test_preempted_it_saves_and_yields(world, calm):
    """In a partition of lower priority, SIGTERM comes as it trains, in an epoch or between two."""
    process = world.start(MODEL, "--set-resources", "models:slurm_partition=scavenge")
    wait_for(world, "epoch 3/")
    world.cluster.submit("sleep 1", "--partition=gpu", "--gpus=1", "--mem=100")
    wait_for(world, "stopped by a signal")
    (world.folder / LOG).unlink()
    world.end(process)
    world.settled()
    assert states(world) == ["FAILED", "COMPLETED"]
    assert "resuming " in log_of(world)
    same(world, calm)


def test_out_of_memory_is_tried_again_with_more_and_then_ends_clearly(world, calm):
    done = world.submit(IMAGES, "--set-resources", "images:mem_mb=60*attempt**3")
    assert "Trying to restart job" in done.output
    assert (world.folder / IMAGES).read_bytes() == (calm.folder / IMAGES).read_bytes()
    asked = [row["ReqMem"] for row in world.settled() if "images" in row["Comment"]]
    assert asked[0] == "60M"
    assert asked[1] == "480M"
    (world.folder / IMAGES).unlink()
    done = world.submit(
        IMAGES, "--set-resources", "images:mem_mb=60", "--retries", "1", check=False
    )
    assert done.returncode != 0
    assert "Exceeded job memory limit" in done.output or "exceeded memory limit" in done.output
    assert not (world.folder / IMAGES).exists()


def test_snakemake_killed_and_called_again(world, calm):
    """While it lives, a second call on the folder is refused; killed, its job goes on.

    The training stands still until Snakemake is dead, however slow the second call is; the next
    one takes what the job has made.
    """
    process = world.start(MODEL)
    hold(world, "epoch 3/")
    second = world.run(MODEL, check=False)
    assert second.returncode != 0
    assert "cannot be locked" in second.output
    for pid in [*descendants(process.pid), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.wait()
    for pid in stages(world):
        os.kill(pid, signal.SIGCONT)
    assert "cannot be locked" in world.submit(MODEL, check=False).output
    world.settled()
    world.run("--unlock")
    world.submit(MODEL)
    assert states(world) == ["COMPLETED"]
    same(world, calm)


def test_a_file_system_that_shows_files_late(world, calm):
    """Snakemake sees results through a mirror that is some seconds behind the nodes'."""
    mirror = world.folder / "mirror"
    results = world.folder / "results"
    shutil.copytree(results, mirror)
    mount = ["unshare", "-m", "sh", "-c", f'mount --bind {mirror} {results} && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mirror in a name space of its own takes root")
    process = world.start(MODEL, prefix=mount)
    told = world.folder / "snakemake.out"
    world.cluster.wait(
        lambda: "Waiting at most" in told.read_text(), "Snakemake to miss files", "slurmctld", 200
    )
    assert (results / MODEL.removeprefix("results/")).is_file()
    time.sleep(5)
    shutil.copytree(results, mirror, dirs_exist_ok=True)
    world.end(process)
    world.settled()
    assert states(world) == ["COMPLETED"]
    same(world, calm)


def test_code_edited_while_a_job_is_queued_is_not_run(world, calm):
    """The GPU is taken while the training waits for it; the edit is none of its plan."""
    blocker = world.cluster.submit("sleep 600", "--partition=gpu", "--gpus=1", "--mem=100")
    world.cluster.wait_for_start(blocker)
    process = world.start(MODEL, "--retries", "0")
    queued = lambda: "has been submitted" in (world.folder / "snakemake.out").read_text()  # noqa: E731
    world.cluster.wait(queued, "the training to be submitted", "slurmctld", 60)
    world.edit("workflow/penumbra/images/image_set.py", "GROUP = 64 * 2**20", "GROUP = 65 * 2**20")
    world.cluster.cancel(blocker)
    done = world.end(process, check=False)
    assert done.returncode != 0
    logs = (world.folder / ".snakemake/slurm_logs").rglob("*.log")
    assert "changed after the jobs were planned" in "".join(log.read_text() for log in logs)
    assert not (world.folder / MODEL).exists()
