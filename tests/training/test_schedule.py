"""Schedules by batch; those by epoch are in test_loop."""

import math
from itertools import pairwise

import pytest

from penumbra.training.schedule import learning_rate
from tests.training.helpers import trainer

BAD_OOD = {"kind": "cosine_iteration", "floor": 1e-6, "warmup_epochs": 5}


def rates(schedule, base, epochs, batches):
    return [
        learning_rate(schedule, base, epoch, epochs, index, batches)
        for epoch in range(epochs)
        for index in range(batches)
    ]


def test_warm_up_is_linear_by_batch_from_its_first_share():
    found = rates(BAD_OOD, 0.1, 100, 20)
    assert found[0] == pytest.approx(0.1 / (5 * 20))
    assert found[:100] == pytest.approx([0.1 * (i + 1) / 100 for i in range(100)])
    assert found[99] == found[100] == 0.1


def test_cosine_by_batch_falls_to_its_floor():
    found = rates(BAD_OOD, 0.1, 100, 20)[100:]
    assert all(earlier > later for earlier, later in pairwise(found))
    assert found[950] == pytest.approx((0.1 + 1e-6) / 2)
    last = (1 - math.cos(math.pi / 1900)) / 2
    assert found[-1] == pytest.approx(1e-6 + (0.1 - 1e-6) * last)
    assert learning_rate(BAD_OOD, 0.1, 100, 100) == pytest.approx(1e-6)


def test_neither_warm_up_nor_floor_is_cosine_between_the_epochs():
    plain = [learning_rate({"kind": "cosine"}, 0.1, epoch, 8) for epoch in range(8)]
    assert rates({"kind": "cosine_iteration"}, 0.1, 8, 6)[::6] == plain


@pytest.mark.parametrize(
    "schedule", [{"kind": "cosine"}, {"kind": "multistep", "milestones": [0.5], "gamma": 0.1}]
)
def test_schedules_by_epoch_stand_still_within_one(schedule):
    found = rates(schedule, 0.1, 4, 3)
    assert found == [rate for rate in found[::3] for _ in range(3)]
    assert found[0] > found[-1]


def test_a_run_shorter_than_its_warm_up_stays_in_it():
    assert rates(BAD_OOD, 1.0, 2, 5) == pytest.approx([(i + 1) / 25 for i in range(10)])


def test_the_loop_takes_every_step_at_its_rate():
    run = trainer(schedule={"kind": "cosine_iteration", "warmup_epochs": 1}, epochs=2)
    taken, step = [], run.optimiser.step
    run.optimiser.step = lambda: (taken.append(run.optimiser.rate), step())
    history = run.run(None, lambda _: None)
    assert taken == rates(run.recipe["schedule"], 0.05, 2, 6)
    assert [record["lr"] for record in history] == [taken[5], taken[11]]
