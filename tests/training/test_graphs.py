"""Steps replayed as graphs do what steps that are called do."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import torch

from penumbra.images.augment import Feeder
from penumbra.networks import graphs
from penumbra.training.loop import Trainer
from penumbra.training.methods import energy, oe
from tests.networks.tape import Capture, Watch
from tests.training.helpers import (
    BUILD,
    CPU,
    HALF,
    INNER,
    OPTIONS,
    RECIPE,
    UAT,
    digits,
    network,
    setting,
)

PGD = {"eps": 0.03, "step": 0.01, "steps": 2, "random_start": True, "perturb_on": "odd"}
ENERGY = {
    "beta": 0.5, "reduction": "concat_mean", "outlier_batch": 8, "phi": "linear",
    "monotone": True,
}  # fmt: skip
OE = {"images": "things", "outlier_batch": 8}
CASES = {
    "standard": ("standard", {}),
    "pgd": ("pgd", PGD),
    "pgd-beyond": ("pgd", PGD | {"clip_pixels": False}),
    "uat": ("uat", UAT),
    "uat-middle": ("uat", UAT | {"position": "middle"}),
    "uat-random": ("uat", UAT | {"restart": "random"}),
    "uat-zero": ("uat", UAT | {"restart": "zero"}),
    "uat-train": ("uat", UAT | {"bn_phase3": "train"}),
    "uat-inner": ("uat", UAT | {"update": "grad_step", "inner_attack": INNER}),
    "energy": ("energy", ENERGY),
    "oe": ("oe", OE),
    **{name: (name, options) for name, options in OPTIONS.items()},
}


def made(method, options, model=None, epochs=3, **changes):
    pixels, labels = digits(44)
    feeder = partial(Feeder, normalisation=HALF, flip=False, crop_padding=1, channels_last=False)
    fed = feeder(pixels, labels, device=CPU)
    outliers = feeder(255 - pixels, np.zeros(44, np.int64), device=CPU)
    kept = dataclasses.replace(
        setting(model or network()), graphs=True, outliers=outliers, **changes
    )
    build = {**BUILD, "energy": energy.build, "oe": oe.build}[method]
    recipe = RECIPE | {"epochs": epochs, "batch_size": 8}
    return Trainer(kept.model, fed, build(options, kept), recipe, 0)


def held(trainer):
    """All that a capture would leave as it was."""
    of_method = [x for x in vars(trainer.method).values() if isinstance(x, torch.Tensor)]
    modules = [trainer.model, *trainer.method.modules()]
    return [
        *(x for module in modules for x in module.state_dict().values()),
        *(m for m in trainer.optimiser.momentum if m is not None),
        *of_method,
    ]


def replaying(monkeypatch, trainer):
    """Let graphs be recorded, and count what is replayed."""
    replays = []

    class Counted(Capture):
        def __init__(self, work, inputs):
            super().__init__(work, inputs, held(trainer))

        def replay(self, inputs):
            replays.append(len(inputs))
            return super().replay(inputs)

    monkeypatch.setattr(graphs, "_Capture", Counted)
    return replays


@pytest.mark.parametrize("case", CASES)
def test_replayed_steps_give_the_same_weights_and_records(case, monkeypatch):
    called, replayed = made(*CASES[case]), made(*CASES[case])
    monkeypatch.setattr(graphs, "EAGER", 10**9)
    expected = called.run(None, lambda line: None)
    monkeypatch.setattr(graphs, "EAGER", 2)
    replays = replaying(monkeypatch, replayed)
    history = replayed.run(None, lambda line: None)
    assert len(replays) >= 6
    assert history == expected
    state = called.state()
    for name, tensor in replayed.state().items():
        assert torch.equal(tensor, state[name]), name


def test_dropout_draws_anew_in_every_replay(monkeypatch):
    def dropping():
        model = network()
        model.fc = torch.nn.Sequential(torch.nn.Dropout(0.5), model.fc)
        return model

    called, replayed = (made("standard", {}, dropping()) for _ in range(2))
    monkeypatch.setattr(graphs, "EAGER", 10**9)
    expected = called.run(None, lambda line: None)
    monkeypatch.setattr(graphs, "EAGER", 2)
    replays = replaying(monkeypatch, replayed)
    assert replayed.run(None, lambda line: None) == expected
    assert replays


@pytest.mark.parametrize("case", CASES)
def test_no_step_waits_for_the_device(case, monkeypatch):
    monkeypatch.setattr(graphs, "EAGER", 10**9)
    trainer = made(*CASES[case], epochs=1)
    progress = trainer._begin(0)
    rows = list(progress.rest())
    with Watch():
        for batch in trainer.feeder.served((some, progress.generator) for some in rows):
            progress.finish(trainer.advance(batch, progress))
    assert progress.losses_so_far().isfinite().all()


def test_a_watch_sees_a_number_that_is_read():
    with pytest.raises(AssertionError, match="waits"), Watch():
        torch.ones(2).sum().item()
    with pytest.raises(AssertionError, match="waits"), Watch():
        torch.ones(2)[torch.tensor([True, False])]


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: torch.unique(x),
        lambda x: x.repeat_interleave(torch.tensor([1, 2])),
    ],
)
def test_a_watch_sees_a_copy_to_the_host(call):
    with pytest.raises(AssertionError, match="waits"), Watch():
        call(torch.ones(2))
