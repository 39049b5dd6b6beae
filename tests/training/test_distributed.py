"""Several processes train one model as one does; on the CPU, what GPUs do through NCCL."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from penumbra.training import launch
from penumbra.training.team import Team, assemble
from tests.conftest import ROOT
from tests.training import processes, ranked
from tests.training.helpers import CPU, HALF, digits

NEAR = 1e-9  # found: 3e-12 at most


def test_three_processes_end_with_the_weights_of_one():
    """Weights, statistics, momentum, map, phi and history, where one process has no image left."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "localhost"]
    done = subprocess.run(
        [sys.executable, *launcher, "--nproc-per-node", "3", "-m", "tests.training.ranked"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(found) == 3 * len(ranked.CASES)
    assert [each for each in found if max(each["state"], each["history"]) > NEAR] == []


def test_stopped_processes_go_on_to_the_same_bytes(tmp_path):
    """Dropout draws of its own in each process come back as well."""
    vgg = {"network": "vgg11", "width": 8}
    calm, stopped = (
        processes.model(tmp_path / name, "energy", vgg, processes=2, epochs=4)
        for name in ("calm", "stopped")
    )
    said = stopped.terminate()
    assert said.count("error: stopped by a signal") == 1
    assert "Traceback" not in said
    again = stopped.finish()
    assert len(re.findall(r"resuming (in|after) epoch \d", again)) == 1
    assert len(re.findall(r"epoch 4/4", again)) == 1
    calm.finish()
    for name in ("model.safetensors", "history.parquet"):
        assert (stopped.folder / name).read_bytes() == (calm.folder / name).read_bytes()
    assert not stopped.states


def test_what_all_processes_meet_is_said_once(tmp_path):
    made = processes.model(tmp_path / "run", "standard", processes=2, lr=1e20)
    process = made.start()
    said = process.communicate()[0]
    assert process.returncode == 1
    assert re.fullmatch(r"error: loss is nan in epoch 1, step \d of 26, .*\n", said)
    assert not made.states


def test_a_process_that_is_killed_ends_the_others(tmp_path):
    process = processes.model(tmp_path / "run", "standard", processes=2, epochs=99).start()
    for line in process.stdout:
        if "epoch 1/" in line:
            break
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True)
    os.kill(int(children.stdout.split()[-1]), signal.SIGKILL)
    said = process.communicate()[0]
    assert process.returncode == 1
    assert re.search(r"error: process [01] of 2 was ended by SIGKILL; SIGKILL is often", said)


def test_what_was_started_must_be_what_is_asked_for(monkeypatch):
    team, device = assemble(1, CPU)
    assert type(team) is Team
    assert device == CPU
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(PenumbraError, match="is 2, but a launcher started 4 processes"):
        assemble(2, CPU)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(PenumbraError, match="is 2, but 1 GPUs are visible"):
        launch.launch("penumbra.stages.models", [], 2, torch.device("cuda"))


@pytest.mark.parametrize(("padding", "scale"), [(2, None), (0, (0.3, 1.0))])
def test_parts_of_a_batch_are_augmented_as_in_the_whole(padding, scale):
    pixels, labels = digits(11)
    feeder = Feeder(pixels, labels, HALF, True, padding, False, CPU, scale)
    rows = torch.arange(11).flip(0)
    cuts = [slice(0, 4), slice(4, 11), slice(11, 11)]
    parts = [feeder.batch(rows, torch.Generator().manual_seed(3), cut) for cut in cuts]
    whole = feeder.batch(rows, torch.Generator().manual_seed(3))
    for one, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(one, torch.cat(pieces))
