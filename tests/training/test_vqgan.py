"""The tokenizer learns real digits in a few steps, and its codebook does not collapse."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from penumbra.errors import PenumbraError
from penumbra.images.contrast import render
from penumbra.networks.generative import vqgan
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.training.objectives.codebook import PATIENCE
from penumbra.training.objectives.vqgan import TokenizerObjective
from penumbra.training.parts import fit

SMALL = {"width": 16, "multipliers": (1, 2), "blocks": 1, "codes": 48, "code_width": 8}
RECIPE = {
    "epochs": 4, "batch_size": 16, "lr": 3e-3, "weight_decay": 0.0, "betas": (0.9, 0.95),
    "warmup_epochs": 0, "schedule": "constant", "clip": 1.0, "precision": "float32",
}  # fmt: skip


def digits(first, last):
    """Real digits as uint8 (n, 3, 16, 16)."""
    grids = load_digits().images[first:last]
    return torch.from_numpy(np.stack([render(grid, 16) for grid in grids]))


def objective(seed=0, pixels=None):
    torch.manual_seed(seed)
    return TokenizerObjective(vqgan.build(**SMALL), digits(0, 240) if pixels is None else pixels)


@pytest.fixture(scope="module")
def trained():
    learner = objective()
    return learner, fit(learner, RECIPE, 0, None, print)


def test_loss_falls(trained):
    _, history = trained
    losses = [record["loss"] for record in history]
    assert losses[-1] < 0.5 * losses[0]


def test_unseen_digits_are_recognisable(trained):
    learner, _ = trained
    tokenizer = Tokenizer.from_state(learner.artifacts())
    x = digits(240, 300).float() / 255
    with torch.no_grad():
        codes = tokenizer.encode(x)
        rebuilt = tokenizer.decode(codes)
    share_unexplained = (rebuilt - x).square().mean() / x.var(0).mean()
    assert share_unexplained < 0.4
    distances = torch.cdist(rebuilt.flatten(1), x.flatten(1))
    assert (distances.argmin(1) == torch.arange(60)).float().mean() > 0.7  # chance: 0.02
    assert len(codes.unique()) > SMALL["codes"] // 2


def test_artifacts_are_the_tokenizers_alone(trained):
    learner, _ = trained
    assert learner.artifacts().keys() == vqgan.build(**SMALL).state_dict().keys()


def test_the_first_batch_lends_its_vectors_to_all_codes():
    learner = objective()
    tokenizer, rows = learner.module.tokenizer, torch.arange(8)
    with torch.no_grad():
        vectors = tokenizer.vectors(learner.pixels[rows].float() / 255)
        learner.loss(rows, torch.Generator().manual_seed(0))
        codes = tokenizer.quantize.embedding.weight
        apart = torch.cdist(codes, vectors.permute(0, 2, 3, 1).flatten(0, 2)).amin(1)
    assert apart.max() < 1e-3
    assert (learner.module.idle.steps <= 1).all()


def test_only_codes_unused_for_long_start_anew():
    learner = objective()
    rows, generator = torch.arange(8), torch.Generator().manual_seed(0)
    codes = learner.module.tokenizer.quantize.embedding.weight
    with torch.no_grad():
        learner.loss(rows, generator)
        codes[:2] = 1e3  # far from every vector
        for _ in range(PATIENCE):
            learner.module.idle.steps[2:] = 0
            learner.loss(rows, generator)
        far, others = codes[:2].clone(), codes[2:].clone()
        learner.module.idle.steps[2:] = 0
        learner.loss(rows, generator)
    assert (far == 1e3).all()
    assert codes[:2].abs().max() < 100
    assert torch.equal(codes[2:], others)


def test_images_that_no_token_covers_are_refused():
    with pytest.raises(PenumbraError, match=r"15, 16\).*multiples of 2"):
        objective(pixels=torch.zeros(2, 3, 15, 16, dtype=torch.uint8))
    with pytest.raises(PenumbraError, match="at least one"):
        objective(pixels=torch.zeros(0, 3, 16, 16, dtype=torch.uint8))
