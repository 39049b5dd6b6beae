"""MAGE learns the grey levels of real digits as tokens, and to use the representation."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import truncnorm
from sklearn.datasets import load_digits

from penumbra.errors import PenumbraError
from penumbra.networks.generative import mage
from penumbra.networks.generative.mage import Mage
from penumbra.outliers.decode import Decoding, decode_tokens, draws
from penumbra.training.objectives.mage import (
    MageObjective,
    masked_loss,
    masked_share,
    masks,
    replaced,
)
from penumbra.training.parts import fit

LEVELS = 4
SMALL = {
    "width": 32, "depth": 1, "heads": 4, "decoder_width": 32, "decoder_depth": 1,
    "decoder_heads": 4, "codes": LEVELS, "side": 4, "representation": 16, "patch": 4,
}  # fmt: skip
RECIPE = {
    "epochs": 8, "batch_size": 32, "lr": 1e-2, "weight_decay": 0.05, "betas": (0.9, 0.95),
    "warmup_epochs": 1, "schedule": "cosine", "clip": 3.0, "precision": "float32",
}  # fmt: skip


def digits(first, last):
    """Real digits: grey levels of 4×4 patches as tokens (n, 16), and 16 numbers of each image."""
    images = torch.from_numpy(load_digits().images).float()
    pixels = images.flatten(1)
    random = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
    mixed = (pixels - pixels.mean(0)) @ random
    mixed = (mixed - mixed.mean(1, keepdim=True)) / mixed.std(1, keepdim=True)
    levels = F.avg_pool2d(images[:, None], 2).flatten(1) / 16.01 * LEVELS
    return levels[first:last].long(), mixed[first:last]


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    learner = MageObjective(mage.build(**SMALL), *digits(0, 1024))
    return learner, fit(learner, RECIPE, 0, None, print)


def test_loss_falls(trained):
    _, history = trained
    losses = [record["loss"] for record in history]
    assert losses[0] < np.log(LEVELS) * 1.5
    assert losses[-1] < 0.8 * losses[0]


def test_the_representation_tells_about_unseen_digits(trained):
    network = trained[0].module.eval()
    tokens, representations = digits(1024, 1280)
    noise = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1))
    hidden = masks(noise, torch.tensor(0.9))
    with torch.no_grad():
        right = masked_loss(network, tokens, representations, *hidden)
        wrong = masked_loss(network, tokens, representations.roll(1, 0), *hidden)
    assert right < 0.92 * wrong


def test_decoding_gives_what_the_representation_describes(trained):
    network = Mage.from_state(trained[0].artifacts(), 4, 4)
    tokens, representations = digits(1024, 1088)
    with torch.no_grad():
        uniform, gumbel = draws(range(64), 4, 16)
        found = decode_tokens(network, representations, uniform, gumbel, Decoding(4, 1.0, 1.0))
    distances = torch.cdist(found.float(), tokens.float())
    rank = (distances < distances.diagonal()[:, None]).float().mean()
    assert rank < 0.3  # 0.5 if it were chance


def test_masked_share_is_the_truncated_normal():
    uniform = torch.linspace(0, 1 - 1e-9, 101, dtype=torch.float64)
    wanted = truncnorm.ppf(uniform.numpy(), -1, 1, loc=0.75, scale=0.25)
    np.testing.assert_allclose(masked_share(uniform).numpy(), wanted, atol=1e-9)


def test_masks_take_the_least_noise():
    noise = torch.rand(3, 16, generator=torch.Generator().manual_seed(0))
    masked, seen = masks(noise, torch.tensor(0.7))
    assert (masked.sum(1) == 12).all()  # 16 · 0.7, rounded up
    assert seen.shape == (3, 8)
    assert torch.equal(seen, seen.sort(1).values)
    for row in range(3):
        assert noise[row][masked[row]].max() < noise[row][~masked[row]].min()
        dropped = torch.ones(16, dtype=bool)
        dropped[seen[row]] = False
        assert noise[row][dropped].max() < noise[row][seen[row]].min()


def test_loss_is_smoothed_cross_entropy_of_masked_tokens():
    torch.manual_seed(0)
    network = mage.build(**SMALL).eval()
    tokens, representations = digits(0, 3)
    noise = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1))
    masked, seen = masks(noise, torch.tensor(0.6))
    with torch.no_grad():
        found = masked_loss(network, tokens, representations, masked, seen)
        logits = network(tokens.masked_fill(masked, network.mask_id), representations, seen)
    shares = F.log_softmax(logits, -1)
    each = -0.9 * shares.gather(2, tokens[:, :, None])[:, :, 0] - 0.1 * shares.mean(-1)
    assert found == pytest.approx(each[masked].mean().item(), rel=1e-5)


def test_a_tenth_trains_without_representation():
    network = mage.build(**SMALL)
    given = torch.ones(2000, 16)
    uniform = torch.rand(2000, generator=torch.Generator().manual_seed(0))
    found = replaced(network, given, uniform)
    without = (found == network.fake_latent).all(1)
    assert without.float().mean() == pytest.approx(0.1, abs=0.02)
    assert (found[~without] == 1).all()


def test_draws_come_from_the_generator_alone():
    torch.manual_seed(0)
    learner = MageObjective(mage.build(**SMALL).eval(), *digits(0, 16))
    rows = torch.arange(8)
    losses = [learner.loss(rows, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t, r: (t[:3], r), "3 token grids and 4 representations"),
        (lambda t, r: (t[:, :9], r), "grids of 9 tokens.*16 places"),
        (lambda t, r: (t + LEVELS, r), f"and {LEVELS} codes"),
        (lambda t, r: (t, r[:, :9]), "representations of 9 numbers.*takes 16"),
        (lambda t, r: (t[:0], r[:0]), "0 token grids"),
    ],
)
def test_samples_that_do_not_fit_are_refused(change, message):
    with pytest.raises(PenumbraError, match=message):
        MageObjective(mage.build(**SMALL), *change(*digits(0, 4)))
