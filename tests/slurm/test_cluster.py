"""The cluster for tests is a real one: it limits, preempts and loses jobs as a site's does."""

import os
import socket
import time
from pathlib import Path

import pytest

from tests.slurm import cluster as module
from tests.slurm.cluster import Cluster, ClusterError, descendants, free_ports, missing

# As a stage in a job: asked to end, it says so in a file, and ends. A shell would miss a signal
# that comes between its `trap` and its `wait`; one that is blocked first is never missed.
UNTIL_ASKED = """python3 -c '
import pathlib, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("started", flush=True)
signal.sigwait([signal.SIGTERM])
pathlib.Path("{answer}").touch()
raise SystemExit(3)
'"""
HELD = "import time; held = bytearray(200 * 2**20); time.sleep(60)"


def test_jobs_run_where_they_should(cluster):
    """The GPU is one job's alone, and the accounts say who had what."""
    script = "echo $SLURMD_NODENAME ${CUDA_VISIBLE_DEVICES:-none}"
    cpu = cluster.submit(script, "--comment=on a cpu", "--cpus-per-task=3", "--mem=700")
    gpu = cluster.submit(script, "--partition=gpu", "--gpus=1", "--time=7")
    none = cluster.submit(script, "--partition=gpu")
    rows = [cluster.wait_for_end(job) for job in (cpu, gpu, none)]
    assert [row["State"] for row in rows] == ["COMPLETED"] * 3
    assert [cluster.output(job).split() for job in (cpu, gpu, none)] == [
        ["n1", "none"],
        ["g1", "0"],
        ["g1", "none"],
    ]
    assert rows[0]["Partition"] == "cpu"
    assert rows[0]["Comment"] == "on a cpu"
    assert rows[0]["ReqTRES"] == "billing=3,cpu=3,mem=700M,node=1"
    assert rows[1]["AllocTRES"] == "billing=1,cpu=1,gres/gpu=1,mem=1000M,node=1"
    assert rows[1]["Timelimit"] == "00:07:00"
    cluster.wait(
        lambda: {cpu, gpu, none} <= {row["JobID"] for row in cluster.jobs()},
        "all jobs in the accounts",
        "slurmdbd",
    )


def test_a_gpu_is_not_shared(cluster):
    first = cluster.submit("sleep 60", "--partition=gpu", "--gpus=1")
    cluster.wait_for_start(first)
    second = cluster.submit("true", "--partition=gpu", "--gpus=1")
    with pytest.raises(ClusterError, match=rf"in vain for job {second} to run(.|\n)*slurmctld.log"):
        cluster.wait_for_start(second, seconds=3)
    cluster.cancel(first)
    assert cluster.wait_for_end(second)["State"] == "COMPLETED"


def test_a_step_without_the_environment_finds_the_cluster(cluster):
    """As the executor's job step, which drops SLURM_CONF before it calls srun."""
    job = cluster.submit("env -u SLURM_CONF srun sh -c 'echo step on $SLURMD_NODENAME'")
    assert cluster.wait_for_end(job)["State"] == "COMPLETED"
    assert cluster.output(job).startswith("step on n")


def test_too_much_memory_kills(cluster):
    jobs = [
        cluster.submit(f'python3 -c "{HELD}"; echo survived', f"--mem={limit}")
        for limit in (100, 400)
    ]
    row = cluster.wait_for_end(jobs[0])
    assert (row["State"], row["ExitCode"]) == ("FAILED", "0:9")
    assert "exceeded memory limit" in cluster.output(jobs[0])
    assert "survived" not in cluster.output(jobs[0])
    time.sleep(2)
    cluster.wait_for_start(jobs[1], seconds=0)
    cluster.cancel(jobs[1])


def test_cancelling_asks_first(cluster):
    answer = cluster.folder / "cancelled"
    job = cluster.submit("exec " + UNTIL_ASKED.format(answer=answer))
    cluster.wait(lambda: "started" in cluster.output(job), "the job to speak", "n1")
    cluster.cancel(job)
    assert cluster.wait_for_end(job)["State"].startswith("CANCELLED")
    assert answer.is_file()


def test_scavengers_give_way(cluster):
    """The step is asked when the grace time starts, long before it is over.

    It answers in a file, as srun, which is asked too, may end before it hands on a last line.
    """
    answer = cluster.folder / "preempted"
    job = cluster.submit(
        "srun " + UNTIL_ASKED.format(answer=answer),
        "--partition=scavenge",
        "--nodelist=n1",
        "--cpus-per-task=4",
    )
    cluster.wait(lambda: "started" in cluster.output(job), "the job to speak", "n1")
    urgent = cluster.submit("true", "--nodelist=n1", "--cpus-per-task=4")
    cluster.wait(answer.is_file, "SIGTERM", "n1", seconds=45)
    assert cluster.wait_for_end(urgent)["State"] == "COMPLETED"
    assert cluster.wait_for_end(job)["State"] in ("PREEMPTED", "FAILED")


def test_a_dead_node_is_seen_and_its_jobs_start_again(cluster):
    script = 'echo $$; [ -n "$SLURM_RESTART_COUNT" ] || sleep 600'
    again, lost = (
        cluster.submit(script, "--nodelist=n2", option) for option in ("--requeue", "--no-requeue")
    )
    cluster.wait(lambda: cluster.output(again) and cluster.output(lost), "both to speak", "n2")
    shells = {int(cluster.output(job)) for job in (again, lost)}
    assert shells <= {*descendants(os.getpid())}
    cluster.kill_node("n2", told=False)
    assert not shells & {*descendants(os.getpid())}
    cluster.wait_for_node("n2", "down")
    assert cluster.wait_for_end(lost)["State"] == "NODE_FAIL"
    cluster.start_node("n2")
    cluster.wait(
        lambda: cluster.job(again)["State"] == "COMPLETED", "a second, complete run", "slurmctld"
    )
    runs = cluster.jobs(f"--jobs={again}", "--duplicates")
    assert [run["State"] for run in runs] == ["NODE_FAIL", "COMPLETED"]


def test_a_dead_node_can_be_reported(cluster):
    job = cluster.submit("sleep 300", "--partition=gpu", "--no-requeue")
    cluster.wait_for_start(job)
    cluster.kill_node("g1")
    cluster.wait_for_node("g1", "down", seconds=20)
    assert cluster.wait_for_end(job)["State"] == "NODE_FAIL"
    cluster.start_node("g1")
    assert cluster.wait_for_end(cluster.submit("true", "--partition=gpu"))["State"] == "COMPLETED"


def test_jobs_outlive_the_controller(cluster):
    job = cluster.submit("sleep 5; echo went on")
    cluster.wait_for_start(job)
    cluster.stop_controller()
    assert "is DOWN" in cluster.run("scontrol", "ping", check=False).stdout
    cluster.start_controller()
    assert cluster.wait_for_end(job)["State"] == "COMPLETED"
    assert cluster.output(job) == "went on\n"


def test_nothing_is_left(tmp_path):
    """A second cluster beside the first, left while a job runs and a process detached itself."""
    before = descendants(os.getpid())
    with Cluster(tmp_path) as made:
        job = made.submit("setsid sleep 300 & echo $!; sleep 300")
        detached = int(made.wait(lambda: made.output(job), "the job to speak", "n1"))
        started = set(descendants(os.getpid())) - set(before)
        assert detached in started
    assert len(started) > 10
    assert [pid for pid in started if Path(f"/proc/{pid}/exe").exists()] == []


def test_a_daemon_that_ends_is_named(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = [*free_ports(4), taken.getsockname()[1]]
        monkeypatch.setattr(module, "free_ports", lambda count: ports)
        with pytest.raises(ClusterError, match=r"g1 has ended(.|\n)*Address already in use"):
            Cluster(tmp_path).__enter__()


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    assert missing() == []
    monkeypatch.setattr(module, "DAEMONS", ("slurmctld", "slurm-of-nowhere"))
    assert missing() == ["slurm-of-nowhere"]
    with pytest.raises(ClusterError, match="slurm-of-nowhere not installed; apt-get install"):
        Cluster(tmp_path)


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path):
    with pytest.raises(ClusterError, match="too long for the paths of sockets"):
        Cluster(tmp_path / ("deep" * 15))
