"""Conformance of tokenizer, MAGE and decoding: sizes and tolerances come from the files."""

import pytest
import torch
import torch.nn.functional as F

from penumbra.networks.generative.mage import Mage, with_class
from penumbra.networks.generative.moco import MoCo, normalised
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.layers.transformer import at
from penumbra.networks.loading.states import under
from penumbra.outliers.decode import (
    Decoding,
    decode_tokens,
    iterations,
    mask_lengths,
    sample,
    to_uint8,
)
from penumbra.outliers.guidance import Guidance
from penumbra.outliers.trajectory import Draws, Sampler
from penumbra.training.objectives.mage import masked_loss, masks, replaced
from tests.vectors.cases import cases


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.inference_mode():
        yield


def state_of(case):
    return case.checkpoint("mage", "mage")


def network(case, encoder=None):
    heads = case.config["num_heads"], case.config["decoder_num_heads"]
    return Mage.from_state(state_of(case), *heads, encoder)


def test_tokenizer(request):
    for case in cases(request, "vqgan*"):
        tokenizer = Tokenizer.from_state(case.weights)
        z = tokenizer.vectors(case.inputs["image"])
        case.check("encoder_out", z)
        indices = tokenizer.encode(case.inputs["image"])
        case.check("indices", indices)
        case.check("z_q", tokenizer.quantize(indices))
        reconstruction, loss = tokenizer.through(z, indices)
        case.check("reconstruction", reconstruction)
        case.check("reconstruction", tokenizer.decode(indices))
        case.check("commit_loss", loss)
        case.check("decoded_code", tokenizer.decode(case.inputs["code"]))


def test_forward(request):
    for case in cases(request, "mage_forward*"):
        mage = network(case)
        tokens, representations = case.inputs["tokens"], case.inputs["rep"]
        embedded = mage.embed(tokens, representations)
        case.check("input_embedding_first4", embedded[:, :4])
        latent = mage.encode(embedded)
        case.check("encoder_latent", latent)
        logits = mage(tokens, representations)
        case.check("logits_sample1_codebook", logits[1])
        case.check("logits_all_samples_every16th", logits[:, ::16])
        seen = torch.arange(mage.length).expand(len(tokens), -1)
        vectors = mage.decode(mage.fill(latent, seen, tokens != mage.mask_id))
        full = mage.mlm_layer(vectors, mage.token_emb.word_embeddings.weight)
        case.check("logits_fullvocab_sample2_first3", full[2, :3])  # class position first
        mage, tokens, exact = mage.double(), tokens[1:2], representations[1:2].double()
        latent = mage.encode(mage.embed(tokens, exact))
        case.check("encoder_latent_float64_sample1_every16th", latent[0, ::16])
        case.check("logits_float64_sample1_every16th", mage(tokens, exact)[0, ::16])


def decoding_of(case):
    c = case.config
    return Decoding(c["num_iter"], c["choice_temperature"], c["cfg"])


def image_of(mage, tokens):
    return mage.vqgan.decode(tokens.reshape(-1, mage.side, mage.side))


def test_decoding(request):
    for case in cases(request, "mage_decode_*"):
        mage, decoding = network(case), decoding_of(case)
        draws = case.inputs["uniform"], case.inputs["gumbel"]
        steps = list(iterations(mage, case.inputs["rep"], *draws, decoding))
        case.check("tokens_in", torch.stack([step.tokens for step in steps]))
        case.check("tokens_out", torch.stack([step.after for step in steps]))
        case.check("mask_len", torch.tensor(mask_lengths(mage.length, decoding.steps)))
        tokens = decode_tokens(mage, case.inputs["rep"], *draws, decoding)
        case.check("final_ids", tokens)
        case.check("image", image_of(mage, tokens))
        case.check("image_uint8", to_uint8(image_of(mage, tokens)))
        check_at_all_places(case, mage, decoding, steps)


def check_at_all_places(case, mage, decoding, steps):
    """Draws and logits at known tokens, too, which decoding does not compute."""
    name = "logits_steps_first_mid_last_every32nd"
    representations, rule = case.inputs["rep"], case.tolerance[name]
    every = []
    for i, step in enumerate(steps):
        weight = decoding.guidance * (i + 1) / decoding.steps
        logits = mage(step.tokens, representations)
        if weight:
            without = mage(step.tokens, mage.fake_latent.expand_as(representations))
            logits = logits + weight * (logits - without)
        every.append(logits)
        same = every[-1].gather(1, step.unknown[:, :, None].expand_as(step.logits))
        torch.testing.assert_close(step.logits, same, atol=rule["atol"], rtol=rule["rtol"])
    drawn = sample(torch.stack(every), case.inputs["uniform"])
    case.check("sampled_ids_raw", drawn)
    for step, codes in zip(steps, drawn, strict=True):
        assert torch.equal(step.complete.gather(1, step.unknown), codes.gather(1, step.unknown))
    kept = [every[i][:, ::32] for i in (0, len(every) // 2, -1)]
    case.check(name, torch.stack(kept))


def test_training_loss(request):
    for case in cases(request, "mage_train_loss*"):
        encoder = MoCo.from_state(
            under(state_of(case), "pretrained_encoder."), case.config["pretrained_encoder"]["heads"]
        )
        mage = network(case, encoder)
        assert mage.pretrained_encoder is encoder
        tokens = mage.vqgan.encode(case.inputs["image"]).flatten(1)
        case.check("gt_indices", tokens)
        share = torch.tensor(case.config["mask_rate"])
        masked, seen = masks(case.inputs["position_noise"], share)
        case.check("token_all_mask", F.pad(masked, (1, 0)).byte())
        dropped = torch.ones_like(masked).scatter(1, seen, False)
        case.check("token_drop_mask", F.pad(dropped, (1, 0)).byte())
        size = (encoder.image_size, encoder.image_size)
        x = F.interpolate(normalised(case.inputs["image"]), size, mode="bicubic")
        representations = encoder.represent(x)
        case.check("representation", representations)
        representations = replaced(mage, representations, case.inputs["rep_drop_uniform"])
        grid = tokens.masked_fill(masked, mage.mask_id)
        embedded = at(mage.embed(grid, representations), with_class(seen))
        case.check("encoder_latent", mage.encode(embedded))
        case.check("logits_every16th", mage(grid, representations, seen)[:, ::16])
        case.check("loss", masked_loss(mage, tokens, representations, masked, seen))


def sampled(case):
    """Representations (N, R) of the unconditional RDM's whole grid, by its EMA weights."""
    rdm = Rdm.from_state(case.checkpoint("rdm_uncond", "rdm"))
    grid, eta = case.config["rdm_steps"], case.config["eta"]
    last = len(rdm.schedule) - 1
    sampler = Sampler(rdm, Guidance(0.0, direction="none", start=last, grid=grid, eta=eta))
    x, fresh = case.vectors("x_T"), case.vectors("rdm_noise")
    *_, (found, _) = sampler.states(x, Draws(x, fresh=fresh))
    return found


def test_from_noise_to_image(request):
    for case in cases(request, "pipeline_rdm_to_image*"):
        representations = sampled(case)
        case.check("representation", representations)
        mage, decoding = network(case), decoding_of(case)
        draws = case.inputs["uniform"], case.inputs["gumbel"]
        tokens = decode_tokens(mage, representations, *draws, decoding)
        case.check("final_ids", tokens)
        case.check("image", image_of(mage, tokens))
        case.check("mask_len", torch.tensor(mask_lengths(mage.length, decoding.steps)))


def test_mask_lengths_are_published():
    assert mask_lengths(256, 20) == [
        *(255, 252, 248, 243, 236, 228, 218, 207, 194, 181),
        *(166, 150, 133, 116, 97, 79, 59, 40, 20, 1),
    ]
