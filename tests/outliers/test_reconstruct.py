"""ID images through a tokenizer: what it makes of them, at the size that they have."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative import mage, vqgan
from penumbra.outliers.decode import to_uint8
from penumbra.outliers.reconstruct import reconstruct

TOKENIZER = {"width": 8, "multipliers": (1, 1), "blocks": 1, "codes": 16, "code_width": 4}


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = mage.build(
        width=8, depth=1, heads=2, decoder_width=8, decoder_depth=1, decoder_heads=2,
        codes=16, side=4, representation=4, patch=2,
    )  # fmt: skip
    network.accompany(vqgan.build(**TOKENIZER), None)
    return network.eval()


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8), np.uint8)


def test_images_are_those_of_their_own_tokens(network, pixels):
    with torch.no_grad():
        tokens = network.vqgan.encode(torch.from_numpy(pixels).float() / 255)
        wanted = to_uint8(network.vqgan.decode(tokens)).numpy()
    assert np.array_equal(reconstruct(network, pixels, 2), wanted)


def test_another_size_goes_by_the_size_that_the_generator_makes(network, pixels):
    large = pixels.repeat(2, 2).repeat(2, 3)
    made = reconstruct(network, large, 3)
    assert made.shape == large.shape
    assert made.dtype == np.uint8
    alone = np.concatenate([reconstruct(network, large[i : i + 1], 1) for i in range(5)])
    assert np.abs(made.astype(int) - alone).max() <= 1


def test_a_checkpoint_without_a_tokenizer_is_refused(network, pixels):
    network.vqgan = None
    with pytest.raises(PenumbraError, match="holds no tokenizer"):
        reconstruct(network, pixels, 2)
