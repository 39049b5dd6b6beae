"""Run by torch's launcher: each process trains alone and with the others, and compares.

All is float64: in float32 an input of a ReLU that rounding tips over zero soon changes the weights
in their third digit.
"""

import json
import sys
from dataclasses import replace

import torch

from penumbra.images.augment import Feeder
from penumbra.networks.heads import GodinHead
from penumbra.training import energy
from penumbra.training.loop import Trainer
from penumbra.training.ranks import start
from penumbra.training.team import Team
from tests.training.helpers import BUILD, CPU, HALF, INNER, RECIPE, UAT, digits, network, setting

ENERGY = {"beta": 1.0, "phi": "mlp512", "monotone": True, "outlier_batch": 7}
CASES = {
    "standard": ("standard", {}),
    "GODIN": ("standard", {}),
    "crop and mirror": ("standard", {}),
    "pgd": ("pgd", INNER),
    "uat": ("uat", UAT | {"index": "global"}),
    "uat inside": ("uat", UAT | {"position": "final", "restart": "random", "inner_attack": INNER}),
    "uat in train mode": ("uat", UAT | {"bn_phase3": "train", "update": "grad_step"}),
    "energy": ("energy", ENERGY | {"reduction": "concat_mean"}),
    "energy, two means": ("energy", ENERGY | {"reduction": "separate_means"}),
}
IMAGES = 26  # batches of 8, and one of 2 that leaves the third process without any


def made(case, team):
    method, options = CASES[case]
    pixels, labels = digits(IMAGES)
    torch.manual_seed(0)
    model = network()
    if case == "GODIN":
        model.fc = GodinHead(16, 10)
    team.adopt(model)
    random = (True, 0, False, CPU, (0.3, 1.0))
    augment = random if case == "crop and mirror" else (True, 2, False, CPU)
    feeder, outliers = (Feeder(p, labels, HALF, *augment) for p in (pixels, 255 - pixels))
    place = replace(setting(model), team=team, outliers=outliers)
    built = (BUILD | {"energy": energy.build})[method](options, place)
    return Trainer(model, feeder, built, RECIPE | {"lr": 0.02}, 0)


def apart(ours, theirs):
    """The largest difference of two states' tensors."""
    assert ours.keys() == theirs.keys()
    pairs = ((ours[name], theirs[name]) for name in ours)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs if a.numel())


def main():
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = torch.Tensor.double
    team, _ = start(CPU)
    for case in CASES:
        alone, shared = made(case, Team()), made(case, team)
        histories = [run.run(None, lambda _: None) for run in (alone, shared)]
        records = (torch.tensor([[*record.values()] for record in h]) for h in histories)
        found = {
            "process": team.rank,
            "case": case,
            "state": apart(alone.state(), shared.state()),
            "history": float((next(records) - next(records)).abs().max()),
        }
        sys.stdout.write(json.dumps(found) + "\n")  # one piece, as others write there, too
        sys.stdout.flush()
    team.leave()


if __name__ == "__main__":
    main()
