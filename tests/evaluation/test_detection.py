"""Which image sets a scorer's metrics hold against each other."""

import numpy as np

from penumbra.evaluation.detection import detection
from penumbra.evaluation.metrics import metrics
from penumbra.evaluation.resampling import DRAWS

RNG = np.random.default_rng(0)
ROLES = {"digits": "test", "bent": "shifted", "faces": "ood", "textures": "ood"}
MEANS = {"digits": 1.0, "bent": 0.5, "faces": 0.0, "textures": -1.0}
SCORES = {name: RNG.normal(mean, 1, 40) for name, mean in MEANS.items()}


def test_every_ood_set_is_held_against_the_test_set():
    found = list(detection("energy", SCORES, ROLES))
    assert [row["image_set"] for row, _ in found] == ["faces", "textures"]
    for row, draws in found:
        wanted = metrics(SCORES["digits"], SCORES[row["image_set"]], shifted=SCORES["bent"])
        assert {name: row[name] for name in wanted} == wanted
        assert (row["scorer"], row["n_id"], row["n_ood"]) == ("energy", 40, 40)
        assert draws["auroc"].shape == (DRAWS,)
        assert abs(draws["auroc"].mean() - row["auroc"]) < 0.05
        assert abs(draws["full_auroc"].mean() - row["full_auroc"]) < 0.05
        assert row["full_auroc"] < row["auroc"]
