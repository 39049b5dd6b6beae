"""The tokenizer: the published names and sizes, its peculiarities, and what it refuses."""

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative import vqgan
from penumbra.networks.generative.vqgan import Codebook, ResidualBlock, Tokenizer
from tests.networks.helpers import digest

SMALL = {"width": 16, "multipliers": (1, 2, 4), "blocks": 1, "codes": 20, "code_width": 8}
PUBLISHED = "943e30b47b0cb79bd808fae7ad161fd452685918e988d738b679df264bde2a97"


def small(seed=0):
    torch.manual_seed(seed)
    return vqgan.build(**SMALL).eval()


def images(side=32, count=3):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_published_names_and_sizes():
    with torch.device("meta"):
        tokenizer = vqgan.build()
    state = tokenizer.state_dict()
    assert (len(state), digest(state)) == (168, PUBLISHED)
    parts = {
        name: sum(p.numel() for p in part.parameters()) / 1e6
        for name, part in tokenizer.named_children()
    }
    assert parts == pytest.approx({"encoder": 23.78, "decoder": 30.48, "quantize": 0.26}, abs=5e-3)


def test_all_sizes_are_read_off_the_state():
    tokenizer = small()
    with torch.no_grad():
        again = Tokenizer.from_state(tokenizer.state_dict())
        assert torch.equal(again.encode(images()), tokenizer.encode(images()))
        codes = tokenizer.encode(images())
        assert torch.equal(again.decode(codes), tokenizer.decode(codes))
    assert again.codes == 20
    assert again.scale == 4
    assert not again.training


def test_a_token_covers_scale_pixels():
    tokenizer = small()
    x = torch.rand(2, 3, 16, 24)
    indices = tokenizer.encode(x)
    assert indices.shape == (2, 4, 6)
    assert tokenizer.decode(indices).shape == x.shape


def test_where_channels_change_x_does_not_reach_the_output():
    torch.manual_seed(0)
    x = torch.rand(2, 16, 4, 4)
    for outputs, shortcut in ((32, True), (16, False)):
        block = ResidualBlock(16, outputs)
        torch.nn.init.zeros_(block.conv1.weight)  # h no longer depends on x
        torch.nn.init.ones_(block.norm2.bias)
        moved = (block(x) - block(-x)).abs().max()
        assert (moved == 0) == shortcut


def test_nearest_code_is_the_nearest_and_the_first_of_equals():
    torch.manual_seed(0)
    codebook = Codebook(12, 5)
    torch.nn.init.normal_(codebook.embedding.weight)
    z = torch.randn(2, 5, 3, 4)
    distances = torch.cdist(z.permute(0, 2, 3, 1).flatten(0, 2), codebook.embedding.weight)
    assert torch.equal(codebook.nearest(z).flatten(), distances.argmin(1))
    torch.nn.init.ones_(codebook.embedding.weight)
    assert not codebook.nearest(z).any()


def test_gradients_pass_the_codebook():
    tokenizer = small()
    z = tokenizer.vectors(images())
    reconstruction, loss = tokenizer.through(z, tokenizer.quantize.nearest(z))
    (straight,) = torch.autograd.grad(reconstruction.sum(), z, retain_graph=True)
    assert straight.abs().max() > 0
    pulled = torch.autograd.grad(loss, [z, tokenizer.quantize.embedding.weight])
    assert all(gradient.abs().max() > 0 for gradient in pulled)


def test_sides_that_no_token_covers_are_refused():
    with pytest.raises(PenumbraError, match=r"30×32.*multiples of 4"):
        small().encode(torch.rand(1, 3, 30, 32))


def test_channels_that_norms_cannot_group_are_refused():
    with pytest.raises(PenumbraError, match="multiple of 32"):
        vqgan.build(width=48)


def test_another_networks_state_is_refused():
    state = small().state_dict()
    with pytest.raises(PenumbraError, match="tokenizer"):
        Tokenizer.from_state({f"vqgan.{name}": value for name, value in state.items()})
    del state["decoder.conv_out.bias"]
    with pytest.raises(PenumbraError, match=r"missing: decoder\.conv_out\.bias"):
        Tokenizer.from_state(state)
