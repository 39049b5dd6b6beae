"""Every scorer of the network, fitted where it wants to be, on images as a stage reads them."""

import numpy as np
import pytest
import torch

from penumbra.evaluation.probing import autograd, probe_of, scored
from penumbra.networks.inference import Reader, build
from penumbra.networks.layers.flow import Flow
from penumbra.planning.needs import declared, fit_needs, needs, of_network
from penumbra.plugins import load, names

HALF = {"mean": [0.5] * 3, "std": [0.5] * 3}
NETWORK = [name for name in names("scores") if of_network(needs({"module": name}))]
FITTED = [name for name in NETWORK if of_network(fit_needs({"module": name}))]
SCORERS = [name for name in NETWORK if name in FITTED or not declared(name).fit]


def reader(scorer):
    network = {"network": "resnet", "layers": 18, "width": 8, "stem": "cifar"}
    if scorer == "ccfn_vit":
        network = {"network": "t2t_vit", "image_size": 32, "width": 24, "depth": 2, "heads": 3}
    if scorer == "godin":
        network["head"] = {"similarity": "cosine"}
    torch.manual_seed(0)
    return Reader(build(network, 3), HALF, None, 5, torch.device("cpu"))


def pixels(count):
    return np.random.default_rng(count).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize("scorer", SCORERS)
def test_every_image_gets_a_score(scorer):
    given, module, fitted = reader(scorer), load("scores", scorer), {}
    if declared(scorer).learned == "dhm":
        fitted = Flow(given.model.fc.weight.shape[1], 2, 4).state_dict()
    if scorer in FITTED:
        with autograd(fit_needs({"module": scorer})):
            fitted = module.fit(probe_of(given, {}), given.batches(pixels(12)))
        assert fitted
    probe = probe_of(given, fitted)
    with autograd(needs({"module": scorer})):
        values = scored(lambda x: module.score(probe, x), given.batches(pixels(9)), "digits")
    assert values.shape == (9,)
    assert np.isfinite(values).all()
    assert len(set(values)) > 1


def test_what_was_fitted_comes_in_the_dtype_of_the_inputs_unless_it_counts():
    fitted = {"ranks": torch.ones(2, dtype=torch.float64), "support": torch.ones(2).long()}
    found = probe_of(reader("odin"), fitted).fitted
    assert (found["ranks"].dtype, found["support"].dtype) == (torch.float32, torch.int64)
