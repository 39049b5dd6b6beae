"""A training that gets SIGTERM saves its state in the middle of an epoch and goes on from there."""

import re
import resource
from functools import partial

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.training.resume import Resume
from tests.training import processes, test_energy, test_exposure, test_parts
from tests.training.helpers import INNER, OPTIONS, PGD, UAT, equal, trainer, weights

STOPPED = r"error: stopped by a signal (in|after) epoch \d+ .*; the state is saved, call snakemake"
LONG = {"epochs": 8}
VGG = {"network": "vgg11", "width": 8}  # with dropout
MAKE = {
    "standard": lambda folder: processes.model(folder, "standard", VGG, **LONG),
    "uat": lambda folder: processes.model(folder, "uat", **LONG),
    "energy": lambda folder: processes.model(folder, "energy", **LONG),
    "part": lambda folder: processes.part(folder, **LONG),
}


@pytest.mark.parametrize("kind", MAKE)
def test_a_terminated_process_goes_on_to_the_same_bytes(tmp_path, kind):
    calm, stopped = (MAKE[kind](tmp_path / name) for name in ("calm", "stopped"))
    undisturbed = calm.start()
    deaf = kind == "uat"
    said = stopped.terminate(deaf=deaf)
    assert deaf or re.search(STOPPED, said)
    assert "Traceback" not in said
    assert len(stopped.states) == 1
    assert not stopped.model.exists()
    again = stopped.finish()
    assert re.search(r"resuming (in|after) epoch \d+ ", again)
    assert "epoch 1/" not in again
    undisturbed.communicate()
    for name in ("model.safetensors", "history.parquet"):
        assert (stopped.folder / name).read_bytes() == (calm.folder / name).read_bytes()
    assert not stopped.states


class After(Resume):
    """Asks to stop after so many steps."""

    def __init__(self, folder, steps):
        self.left = steps
        super().__init__(folder, "run")

    @property
    def asked(self):
        self.left -= 1
        return self.left < 0


LOOPS = {
    "standard": lambda: trainer(),
    "pgd": lambda: trainer("pgd", PGD),
    "uat": lambda: trainer("uat", UAT | {"restart": "random", "position": "final"}),
    "uat inner": lambda: trainer("uat", UAT | {"inner_attack": INNER}),
    "energy": lambda: test_energy.trainer(lr=0.01, epochs=2),
    "oe": lambda: test_exposure.trainer(lr=0.01),
    **{name: partial(trainer, name, options) for name, options in OPTIONS.items()},
}


@pytest.mark.parametrize("kind", LOOPS)
def test_every_step_may_be_the_last(tmp_path, kind):
    """Six steps an epoch, two epochs: a run that is stopped after each equals a calm one."""
    calm = LOOPS[kind]()
    history = calm.run(None, lambda _: None)
    said = []
    for _ in range(11):
        with pytest.raises(PenumbraError) as stop:
            LOOPS[kind]().run(After(tmp_path, 0), said.append)
        said.append(str(stop.value))
    last = LOOPS[kind]()
    assert last.run(Resume(tmp_path, "run"), said.append) == history
    assert equal(last.state(), calm.state())
    assert "stopped by a signal in epoch 1 after step 5 of 6; the state is saved" in said[8]
    assert said[9] == "resuming in epoch 1 after step 5 of 6"
    assert "stopped by a signal after epoch 1 of 2" in said[10]


def test_parts_stop_and_go_on_as_well(tmp_path):
    calm = test_parts.objective()
    history = test_parts.train(calm)
    for seed, steps in ((0, 0), (7, 0), (8, 3)):  # other initial weights are written over
        with pytest.raises(PenumbraError, match="stopped by a signal"):
            test_parts.train(test_parts.objective(seed=seed), After(tmp_path, steps))
    last = test_parts.objective(seed=9)
    assert test_parts.train(last, Resume(tmp_path, "run")) == history
    assert equal(weights(last.module), weights(calm.module))


def test_the_last_step_needs_no_stop(tmp_path):
    assert len(trainer().run(After(tmp_path, 11), lambda _: None)) == 2


def test_a_loss_that_is_not_finite_is_told_and_not_saved_when_stopped(tmp_path):
    with pytest.raises(PenumbraError, match=r"loss is nan in epoch 1, step \d of 6"):
        trainer(lr=1e20).run(After(tmp_path, 4), lambda _: None)
    assert not list(tmp_path.iterdir())


def test_the_seconds_of_stopped_runs_add_up(tmp_path):
    first = Resume(tmp_path, "run")
    first.earlier = 5.0
    first.write({"a": torch.ones(1)}, [])
    second = Resume(tmp_path, "run")
    assert second.earlier == 0
    second.read(print)
    assert 5 <= second.earlier < 65


def test_no_damaged_state_is_taken_up(tmp_path):
    """Cut anywhere, or with any one byte changed, a state is told and left alone."""
    resume = Resume(tmp_path, "run")
    tensors = {"a": torch.rand(3, 2), "b": torch.tensor(7), "c": torch.zeros(0)}
    history = [{"epoch": 0, "loss": 1.5}]
    resume.write(tensors, history)
    whole = resume.path.read_bytes()
    cut = [whole[:i] for i in range(len(whole))]
    flipped = [whole[:i] + bytes([whole[i] ^ 4]) + whole[i + 1 :] for i in range(len(whole))]
    for damaged in cut + flipped:
        said = []
        resume.path.write_bytes(damaged)
        assert resume.read(said.append) == ({}, [])
        assert f"the saved state {resume.path} is damaged" in said[0]
    resume.path.write_bytes(whole)
    found = resume.read(said.append)
    assert equal(found[0], tensors)
    assert found[1] == history
    assert len(said) == 1


def test_training_starts_again_from_a_damaged_state(tmp_path):
    calm, run, said = trainer(), trainer(), []
    history = calm.run(None, lambda _: None)
    with pytest.raises(PenumbraError):
        trainer().run(After(tmp_path, 2), lambda _: None)
    resume = Resume(tmp_path, "run")
    state = bytearray(resume.path.read_bytes())
    state[-100] ^= 1
    resume.path.write_bytes(state)
    assert run.run(resume, said.append) == history
    assert equal(weights(run.model), weights(calm.model))
    assert said[0].endswith("starting from scratch")


def test_a_state_that_cannot_be_saved_is_named_and_the_one_before_stays(tmp_path):
    with pytest.raises(PenumbraError):
        trainer().run(After(tmp_path, 2), lambda _: None)
    resume = Resume(tmp_path, "run")
    before = resume.path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(PenumbraError, match=r"run\.safetensors: the training's state cannot"):
            trainer().run(resume, lambda _: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert resume.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [resume.path]
