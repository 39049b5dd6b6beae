"""An encoder over images in batches."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.encoding import represented
from penumbra.networks.generative.moco import build

SIZES = {"width": 24, "depth": 1, "heads": 3, "patch": 4, "image_size": 16}


def test_representations_are_standardised_and_those_that_are_not_finite_refused():
    torch.manual_seed(0)
    encoder = build(**SIZES, projector=32, representation=16).eval()
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), dtype=np.uint8)
    origins = [f"image {i}" for i in range(5)]
    found = represented(encoder, pixels, origins, 2, False)
    assert found.shape == (5, 16)
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(1, ddof=1), 1, rtol=1e-4)
    np.testing.assert_allclose(represented(encoder, pixels, origins, 5, False), found, atol=1e-5)
    with torch.no_grad():
        encoder.norm.weight[0] = torch.nan
    with pytest.raises(PenumbraError, match=r"5 of 5 .* not finite, the first of image 0"):
        represented(encoder, pixels, origins, 2, False)
