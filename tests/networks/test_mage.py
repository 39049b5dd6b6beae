"""MAGE: the published names and sizes, the shortened pass of decoding, and what it refuses."""

import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative import mage, moco, vqgan
from penumbra.networks.generative.mage import Mage
from tests.networks.helpers import digest
from tests.networks.test_vqgan import SMALL as TOKENIZER

SMALL = {
    "width": 16, "depth": 3, "heads": 2, "decoder_width": 24, "decoder_depth": 2,
    "decoder_heads": 3, "codes": 20, "side": 4, "representation": 6, "patch": 2,
}  # fmt: skip
LARGE = {"width": 1024, "depth": 24, "heads": 16, "decoder_width": 1024}
OPTIONS = {"b": {}, "l": LARGE}
ENCODER = {
    "b": {"width": 768, "depth": 12, "heads": 12},
    "l": {"width": 1024, "depth": 24, "heads": 16},
}
# Entries and digest of the published state dicts, and millions of parameters without tokenizer and
# encoder.
PUBLISHED = {
    "b": (602, "0ff4415fb82a3119f60f3615c583b3d5013d7e3b5b9e6de4cb96d8ef5ff2c2ee", 146.67),
    "l": (890, "0d17a2b8223a2d50c6b5b328e3c9d8742536df0400003f6181ee19422674aac2", 410.15),
}


def small(**changes):
    torch.manual_seed(0)
    network = mage.build(**SMALL | changes).eval()
    with torch.no_grad():
        for parameter in network.parameters():  # not zero, not tiny: every term shows
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def grids(network, unknown, count=3):
    """Token grids of which each has the same number of unknown ones, and representations."""
    generator = torch.Generator().manual_seed(2)
    shape = (count, network.length)
    tokens = torch.randint(network.codes, shape, generator=generator)
    places = torch.rand(shape, generator=generator).argsort(1)[:, :unknown]
    tokens.scatter_(1, places, network.mask_id)
    return tokens, torch.randn(count, 6, generator=generator)


@pytest.mark.parametrize("size", PUBLISHED)
def test_published_names_and_sizes(size):
    count, wanted, millions = PUBLISHED[size]
    with torch.device("meta"):
        network = mage.build(**OPTIONS[size])
        own = sum(p.numel() for p in network.parameters()) / 1e6
        network.accompany(vqgan.build(), moco.build(**ENCODER[size]))
    state = network.state_dict()
    assert (len(state), digest(state)) == (count, wanted)
    assert own == pytest.approx(millions, abs=5e-3)


@pytest.mark.parametrize("side", [4, 5])
def test_all_sizes_but_heads_are_read_off_the_state(side):
    network = small(side=side)
    again = Mage.from_state(network.state_dict(), 2, 3)
    tokens, representations = grids(network, 7)
    with torch.no_grad():
        logits = network(tokens, representations)
        assert torch.equal(again(tokens, representations), logits)
    assert logits.shape == (3, side**2, 20)
    assert not again.training


def test_tokenizer_and_encoder_ride_along():
    network, encoder = small(), torch.nn.BatchNorm1d(6)
    network.accompany(vqgan.build(**TOKENIZER), encoder)
    state = network.state_dict()
    assert torch.equal(
        state["vqgan.quantize.embedding.weight"], network.vqgan.quantize.embedding.weight
    )
    network.train()
    assert network.training
    assert not network.vqgan.training
    assert not network.pretrained_encoder.training
    again = Mage.from_state(state, 2, 3)
    assert again.vqgan.codes == 20
    assert again.pretrained_encoder is None
    encoder = torch.nn.BatchNorm1d(6)
    state["pretrained_encoder.running_mean"] += 3
    assert Mage.from_state(state, 2, 3, encoder).pretrained_encoder is encoder
    assert encoder.running_mean.tolist() == [3] * 6


def test_what_trains_is_what_the_output_reads():
    network = small().train()
    tokens, representations = grids(network, 7)
    representations[0] = network.fake_latent[0]
    network(tokens, representations).square().mean().backward()
    with_gradient = {n for n, p in network.named_parameters() if p.grad is not None}
    assert with_gradient == {n for n, p in network.named_parameters() if p.requires_grad}
    unread = {"cls_token", "mask_token", "pos_embed", "decoder_pos_embed"}
    frozen = {n.split(".")[0] for n, p in network.named_parameters() if not p.requires_grad}
    assert frozen == unread | {"patch_embed", "decoder_pred"}


def test_no_gradient_reaches_the_words_by_the_prediction():
    network = small()
    network.predict(torch.randn(2, 24)).sum().backward()
    assert network.token_emb.word_embeddings.weight.grad is None


@pytest.mark.parametrize("unknown", [16, 9, 1])
def test_unknown_places_alone_give_the_same_logits(unknown):
    network = small().double()
    tokens, representations = grids(network, unknown)
    order = (tokens == network.mask_id).byte().argsort(dim=1, stable=True)
    known, places = order.split([16 - unknown, unknown], 1)
    representations = representations.double()
    with torch.no_grad():
        found = network.unknown_logits(tokens, representations, known, places)
        everywhere = network(tokens, representations)
    wanted = everywhere.gather(1, places[:, :, None].expand_as(found))
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


def test_unknown_tokens_reach_the_decoder_as_the_class_alone():
    network = small()
    tokens, _ = grids(network, 5)
    known = tokens != network.mask_id
    seen = torch.arange(16).expand(3, -1)
    latent = torch.randn(3, 17, 16)
    with torch.no_grad():
        first = network.fill(latent, seen, known)
        latent[:, 1:][~known] += 1
        assert torch.equal(network.fill(latent, seen, known), first)
        latent[:, 1:][known] += 1
        assert not torch.equal(network.fill(latent, seen, known), first)


def test_tokens_that_training_drops_do_not_reach_the_output():
    network = small()
    tokens, representations = grids(network, 8)
    order = (tokens == network.mask_id).byte().argsort(dim=1, stable=True)
    seen = order[:, :10].sort(1).values  # all known ones, two of the unknown
    with torch.no_grad():
        first = network(tokens, representations, seen)
        network.token_emb.position_embeddings.weight[1 + int(order[0, -1])] += 1
        assert torch.equal(network(tokens, representations, seen)[0], first[0])


def test_heads_of_no_published_width_must_be_named():
    state = small().state_dict()
    with pytest.raises(PenumbraError, match=r"16 wide.*heads"):
        Mage.from_state(state)
    with pytest.raises(PenumbraError, match=r"decoder.*24 wide"):
        Mage.from_state(state, 2)


def test_another_networks_state_is_refused():
    state = small().state_dict()
    with pytest.raises(PenumbraError, match="MAGE"):
        Mage.from_state({f"module.{name}": value for name, value in state.items()}, 2, 3)
    with pytest.raises(PenumbraError, match=r"not expected: extra"):
        Mage.from_state(state | {"extra": torch.zeros(1)}, 2, 3)
    positions = "token_emb.position_embeddings.weight"
    with pytest.raises(PenumbraError, match="no square"):
        Mage.from_state(state | {positions: state[positions][:-1]}, 2, 3)
