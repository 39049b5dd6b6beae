"""A job that fails on a node is a failed call, which ends with the words of the stage."""

from tests.slurm.worlds import OnCluster
from tests.workflow.test_failures import SETS, break_stage, images


def test_every_way_to_fail_is_a_failed_call(cluster, tmp_path):
    made = OnCluster(tmp_path, cluster)
    break_stage(made)
    targets = [images(name) for name in (*SETS, "night-sky")]
    done = made.submit(*targets, "--retries", "0", check=False)
    assert done.returncode != 0
    last = done.output.split("At least one job did not complete successfully.")[-1]
    assert last.count("rule images failed\n") == len(SETS)
    assert all(words in last for words in SETS.values())
    assert "missing after" not in done.output
    for name in SETS:
        assert not (made.folder / images(name)).exists()
    assert (made.folder / images("night-sky")).is_file()
    made.settled()
