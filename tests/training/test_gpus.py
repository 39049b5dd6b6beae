"""Jobs that run side by side on one machine hold a GPU each; no GPU is needed to see that."""

import os
import subprocess
import sys
import time

import pytest

from penumbra.training.gpus import GPUS, VISIBLE

JOB = """
import sys
from penumbra.training.determinism import pick_device
import os
pick_device(sys.argv[1])
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Starts a job that says which GPU it has, and holds it until its input ends."""
    monkeypatch.delenv(VISIBLE, raising=False)
    running = []

    def start(gpus, device="auto"):
        environment = {**os.environ, "TMPDIR": str(tmp_path)} | ({GPUS: gpus} if gpus else {})
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        job = subprocess.Popen(
            [sys.executable, "-c", JOB, device],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(job)
        return job

    yield start
    for job in running:
        job.kill()
        job.communicate()


def test_each_job_has_a_gpu_of_its_own_and_leaves_it(start):
    first, second = start("2,5"), start("2,5")
    said = [job.stdout.readline().strip() for job in (first, second)]
    assert sorted(said) == ["2", "5"]
    third = start("2,5")
    time.sleep(1)
    first.kill()
    assert third.stdout.readline().strip() == said[0]


def test_jobs_on_the_cpu_and_of_one_gpu_take_none(start):
    for gpus, device in (("0,1", "cpu"), (None, "auto")):
        assert start(gpus, device).stdout.readline().strip() == "None"


@pytest.mark.parametrize(("visible", "told"), [(None, ["0", "1"]), ("", ["", ""])])
def test_the_jobs_of_a_call_share_out_its_gpus(tmp_path, monkeypatch, visible, told):
    """Two trainings side by side tell another GPU each; where the call may see none, none."""
    import json

    from tests.workflow.conftest import TINY, Tiny

    monkeypatch.delenv(VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(VISIBLE, visible)
    made = Tiny(tmp_path, TINY.replace("seeds: [0]", "seeds: [0, 1]\ncompute: {gpus: 1}"))
    models = [
        f"results/tiny/models/digits/resnet18/standard/seed{s}/model.safetensors" for s in (0, 1)
    ]
    made.run(*models, "--resources", "gpu=2")
    records = [json.loads((made.folder / f"{m}.run.json").read_text()) for m in models]
    assert sorted(record["gpu"] for record in records) == told
