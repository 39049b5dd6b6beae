"""Small real networks, images and recipes for the training tests."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from penumbra.images.augment import Feeder
from penumbra.networks.backbones import resnet
from penumbra.training.loop import Trainer
from penumbra.training.method import Setting
from penumbra.training.methods import (
    centre,
    dhm,
    focal,
    gan,
    npos,
    pgd,
    rotloss,
    simclr,
    standard,
    uat,
    vos,
)

CPU = torch.device("cpu")
HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
UAT = {
    "position": "input", "index": "epoch", "perturb_on": "odd", "tau": 3, "alpha": 0.1,
    "space": "normalised", "update": "pgd", "steps": 2, "step_size": 0.5, "restart": "warm",
    "clip": "alpha", "init": "uniform", "bn_phase3": "eval", "inner_attack": None,
}  # fmt: skip
INNER = {"eps": 0.03, "step": 0.01, "steps": 3, "random_start": True}
PGD = INNER | {"perturb_on": "always"}
RECIPE = {
    "name": "test", "method": "standard", "epochs": 2, "batch_size": 8, "lr": 0.05, "momentum": 0.9,
    "nesterov": False, "weight_decay": 1e-3, "precision": "float32",
    "schedule": {"kind": "multistep", "milestones": [0.5], "gamma": 0.1},
}  # fmt: skip
VIEWS = {
    "crop_scale": [0.5, 1.0], "flip": False, "brightness": 0.4, "contrast": 0.4, "blur": 0.0,
}  # fmt: skip
# Of methods that more than one file of tests tries.
OPTIONS = {
    "simclr": {"temperature": 0.3, "projection": 12, "views": VIEWS}, "rotloss": {},
    "focal": {"gamma": 2.0}, "centre": {"weights": [0.0, 0.1], "milestones": [0.5]},
    "dhm": {"couplings": 3, "hidden": 8, "bound": 1.2},
    "gan": {"size": 8, "width": 4, "latent": 5},
    "vos": {"start": 1, "queue": 5, "candidates": 100},
    "npos": {
        "start": 1, "queue": 5, "neighbour": 2, "boundary": 4, "points": 2, "candidates": 20,
        "outliers": 4, "hidden": 12, "projection": 8,
    },
}  # fmt: skip
BUILD = {
    "standard": standard.build, "uat": uat.build, "pgd": pgd.build, "simclr": simclr.build,
    "rotloss": rotloss.build, "focal": focal.build, "centre": centre.build,
    "dhm": dhm.build, "gan": gan.build, "vos": vos.build, "npos": npos.build,
}  # fmt: skip


def digits(count):
    """Real digits as uint8 (count, 3, 16, 16) and labels."""
    bunch = load_digits()
    grey = np.kron(bunch.images[:count], np.ones((2, 2))) * 15.9
    return np.repeat(grey[:, None], 3, 1).astype(np.uint8), bunch.target[:count].astype(np.int64)


def setting(model, seed=0, epochs=2):
    one = torch.full((1, 3, 1, 1), 0.5)
    return Setting(model, (3, 16, 16), one, one.clone(), seed, CPU, epochs=epochs)


def network(seed=0):
    torch.manual_seed(seed)
    return resnet.build(10, 18, 2, "fn")


def trainer(method="standard", options=None, count=44, seed=0, **changes):
    """A trainer whose epoch has six batches, the last one half full."""
    pixels, labels = digits(count)
    model = network(seed)
    feeder = Feeder(pixels, labels, HALF, False, 1, False, CPU)
    recipe = RECIPE | changes
    built = BUILD[method](options or {}, setting(model, seed, recipe["epochs"]))
    return Trainer(model, feeder, built, recipe, seed)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
