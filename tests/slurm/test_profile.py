"""The embedded world's jobs on a real cluster, through the profile that users have."""

import re

import pytest

from tests.slurm.worlds import OnCluster

GPU = {"models", "readings", "probes"}
CPU = {"images", "fits", "scores", "tables"}


@pytest.fixture(scope="session")
def table(cluster, tmp_path_factory):
    """A table computed on the cluster, and what the cluster tells of its jobs."""
    made = OnCluster(tmp_path_factory.mktemp("profile"), cluster)
    made.submit("all_tables")
    return made, made.settled()


def test_every_kind_of_job_gets_the_partition_and_the_gpus_that_it_needs(table):
    _, jobs = table
    kinds = {}
    for job in jobs:
        assert job["State"] == "COMPLETED", job
        kinds.setdefault(kind(job), []).append(job)
    assert kinds.keys() == GPU | CPU
    for name, found in kinds.items():
        for job in found:
            on_gpu = name in GPU
            assert job["Partition"] == ("gpu" if on_gpu else "cpu"), job
            assert gpus(job) == int(on_gpu), job


def test_trainings_are_told_before_their_time_is_over(table):
    _, jobs = table
    for job in jobs:
        told = "--signal=TERM@60" in job["SubmitLine"]
        assert told == (kind(job) == "models"), job["SubmitLine"]


def test_small_jobs_travel_together(table):
    """Readings of two models, and fits, scores and metrics of all scorers, are few submissions."""
    made, jobs = table
    scores = [name for name in made.results() if name.startswith("scores/")]
    metrics = [name for name in made.results() if name.startswith("metrics/")]
    draws = [name for name in metrics if "/draws/" in name]
    assert (len(scores), len(metrics), len(draws)) == (6, 4, 2)
    counts = {name: sum(kind(job) == name for job in jobs) for name in GPU | CPU}
    assert counts["fits"] == counts["scores"] == counts["tables"] == 1
    assert counts["readings"] <= 2
    assert counts["probes"] == 1


def test_time_and_memory_are_what_the_work_asks_for(table):
    _, jobs = table
    for job in jobs:
        hours, minutes, _ = map(int, job["Timelimit"].split(":"))
        assert 2 <= 60 * hours + minutes <= 120, job
        memory = int(re.search(r"mem=(\d+)M", job["AllocTRES"])[1])
        assert 1000 <= memory <= 9000, job


def test_a_cluster_gives_the_bytes_of_one_machine(table, tmp_path):
    """Jobs through Slurm and jobs of a local call differ in nothing that is written."""
    made, _ = table
    local = OnCluster(tmp_path, made.cluster)
    local.run("all_tables")
    ours, theirs = made.results(), local.results()
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def kind(job: dict[str, str]) -> str:
    """The rule or group that a job was submitted for."""
    return re.match(r"rule_([a-z]+)", job["Comment"])[1]


def gpus(job: dict[str, str]) -> int:
    found = re.search(r"gres/gpu=(\d+)", job["AllocTRES"])
    return int(found[1]) if found else 0
