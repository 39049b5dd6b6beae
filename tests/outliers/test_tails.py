"""VOS's outliers: as far out as the least likely of many draws, about each class's mean."""

import numpy as np
import torch
from scipy.stats import ks_2samp

from penumbra.outliers import tails


def generator(seed):
    return torch.Generator().manual_seed(seed)


def test_norms_are_those_of_the_least_likely_of_many_draws():
    """Against 300 normal vectors of which the three longest are taken, 2,000 times."""
    found = tails.radii(2000, 300, 3, 6, generator(0)).numpy()
    assert (np.diff(found, axis=1) <= 0).all()
    norms = np.sqrt(np.random.default_rng(1).chisquare(6, (2000, 300)))
    wanted = np.sort(norms, 1)[:, :-4:-1]
    for rank in range(3):
        assert ks_2samp(found[:, rank], wanted[:, rank]).pvalue > 0.01
    assert ks_2samp(found[:, 0], wanted[:, 1]).pvalue < 1e-6


def test_outliers_are_so_far_from_their_classes_under_one_covariance():
    rows = torch.randn(3, 40, 5, generator=generator(0)) * torch.tensor([9.0, 1, 3, 0.1, 2])
    rows[1] += 20
    points = tails.outliers(rows, 1000, 2, generator(7)).view(3, 2, 5).double().numpy()
    means = rows.double().mean(1, keepdim=True)
    apart = (rows.double() - means).flatten(0, 1).numpy()
    covariance = np.cov(apart.T, bias=True) + 1e-4 * np.eye(5)
    out = points - means.numpy()
    reach = np.sqrt(np.einsum("cki,ij,ckj->ck", out, np.linalg.inv(covariance), out))
    np.testing.assert_allclose(reach, tails.radii(3, 1000, 2, 5, generator(7)), rtol=1e-3)


def test_a_covariance_that_cannot_be_drawn_from_is_told():
    rows = torch.full((2, 3, 4), 3e38)
    rows[0, 0] = -3e38
    assert tails.outliers(rows, 10, 1, generator(0)).isnan().all()
