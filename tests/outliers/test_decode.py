"""Decoding of tokens: schedule, draws of each image's own, guidance, and what is refused."""

import itertools
import math

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative import vqgan
from penumbra.outliers.decode import (
    Decoding,
    decode_tokens,
    draws,
    generate,
    guided_logits,
    iterations,
    mask_lengths,
    sample,
    split,
    to_uint8,
)
from tests.networks.test_mage import small

TOKENIZER = {"width": 16, "multipliers": (1, 2), "blocks": 1, "codes": 20, "code_width": 8}


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(1)
    return small(), vqgan.build(**TOKENIZER).eval()


def representations(count=5):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(4))


def made(parts, seeds=(3, 1, 4, 1, 5), batch_size=5, rows=None, **options):
    given = representations() if rows is None else rows
    decoding = Decoding(**{"steps": 4, "temperature": 3.0} | options)
    return generate(*parts, given, seeds, decoding, batch_size)


@pytest.mark.parametrize(("length", "steps"), [(256, 20), (64, 8), (16, 16), (9, 30), (4, 1)])
def test_mask_lengths_fall_to_one(length, steps):
    lengths = [length, *mask_lengths(length, steps)]
    assert lengths[-1] == 1
    for before, now in itertools.pairwise(lengths):
        assert now < before or now == before == 1


def test_mask_lengths_are_those_of_exact_cosines():
    """cos(π/3) is a half: two thirds of the way, half of the tokens, in float64."""
    assert mask_lengths(256, 3)[1] == 128
    assert mask_lengths(256, 6)[3] == 128


def test_draws_belong_to_seeds():
    uniform, gumbel = draws([7, 8, 9], 4, 16)
    assert uniform.shape == gumbel.shape == (4, 3, 16)
    again = draws([9, 7], 4, 16)
    for numbers, other in zip((uniform, gumbel), again, strict=True):
        assert torch.equal(numbers[:, [2, 0]], other)
        assert not torch.equal(numbers[:, 0], numbers[:, 1])


def test_draws_have_their_distributions():
    uniform, gumbel = draws(range(40), 20, 64)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.01)
    assert gumbel.mean() == pytest.approx(0.5772, abs=0.02)
    assert gumbel.var() == pytest.approx(math.pi**2 / 6, abs=0.05)


def test_sampling_is_the_inverse_distribution_function():
    shares = torch.tensor([0.1, 0.0, 0.6, 0.3])
    logits = shares.log().expand(6, 4)
    uniform = torch.tensor([0.0, 0.0999, 0.1001, 0.6999, 0.7001, 1 - 2**-53], dtype=torch.float64)
    assert sample(logits, uniform).tolist() == [0, 0, 2, 2, 3, 3]


def test_sampled_frequencies_are_the_shares():
    logits = torch.randn(20, generator=torch.Generator().manual_seed(0))
    uniform = torch.from_numpy(np.random.default_rng(0).random(20_000))
    found = torch.bincount(sample(logits.expand(20_000, -1), uniform), minlength=20) / 20_000
    assert (found - logits.softmax(0)).abs().max() < 0.01


def test_split_gives_ascending_places():
    masked = torch.tensor([[True, False, True, False], [False, False, True, True]])
    known, unknown = split(masked, 2)
    assert known.tolist() == [[1, 3], [0, 1]]
    assert unknown.tolist() == [[0, 2], [2, 3]]


def test_steps_keep_what_is_known_and_mask_the_least_confident(parts):
    mage, options = parts[0], Decoding(5, 0.0)
    uniform, gumbel = draws(range(5), 5, 16)
    with torch.no_grad():
        steps = list(iterations(mage, representations(), uniform, gumbel, options))
    for step, left in zip(steps, mask_lengths(16, 5), strict=True):
        known = step.tokens != mage.mask_id
        assert torch.equal(step.complete[known], step.tokens[known])
        assert (step.complete < mage.codes).all()
        masked = step.after == mage.mask_id
        assert (masked.sum(1) == left).all()
        again = masked.gather(1, step.unknown)
        for row, confidence in zip(again, step.confidence, strict=True):
            assert row.all() or confidence[row].max() <= confidence[~row].min()
    with torch.no_grad():
        tokens = decode_tokens(mage, representations(), uniform, gumbel, options)
    assert torch.equal(tokens, steps[-1].complete)


def same(found, wanted):
    """Equal but for the rounding of sums in another order, which may cross a truncation."""
    apart = np.abs(found.astype(int) - wanted.astype(int))
    return apart.max() <= 1 and (apart > 0).mean() < 0.01


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_an_image_does_not_depend_on_its_batch(parts, guidance):
    whole = made(parts, guidance=guidance)
    assert whole.dtype == np.uint8
    assert whole.shape == (5, 3, 8, 8)
    assert not any(same(*pair) for pair in itertools.combinations(whole, 2))
    for batch_size in (1, 2):
        assert same(made(parts, batch_size=batch_size, guidance=guidance), whole)
    alone = made(parts, seeds=(4,), rows=representations()[2:3], guidance=guidance)
    assert same(alone[0], whole[2])


@pytest.mark.parametrize("guidance", [0.0, 2.0])
def test_tokens_do_not_depend_on_the_batch(parts, guidance):
    def tokens(rows):
        given, numbers = representations()[rows], draws(range(5)[rows], 6, 16)
        return decode_tokens(parts[0], given, *numbers, Decoding(6, 3.0, guidance))

    with torch.no_grad():
        whole = tokens(slice(None))
        assert torch.equal(torch.cat([tokens(slice(i, i + 1)) for i in range(5)]), whole)
    assert len(whole.unique(dim=0)) == 5


def test_seed_and_representation_both_matter(parts):
    rows = representations()[:1].expand(2, -1)
    first, other = made(parts, (1, 1), rows=rows), made(parts, (1, 2), rows=rows)
    assert same(first[0], first[1])
    assert same(first[0], other[0])
    assert not same(other[0], other[1])
    assert not same(made(parts, (1,), rows=representations()[1:2])[0], first[0])


@pytest.mark.parametrize("count", [16, 6])
def test_guidance_weighs_against_no_representation(parts, count):
    """Also for one image, and where all rows of the second half are the same."""
    mage, given = parts[0], representations(3)
    tokens = torch.randint(20, (3, 16), generator=torch.Generator().manual_seed(0))
    tokens[:, :count] = mage.mask_id
    with torch.no_grad():
        conditional = mage(tokens, given)[:, :count]
        without = mage(tokens, mage.fake_latent.expand(3, -1))[:, :count]
        for n in (3, 1):
            places, logits = guided_logits(mage, tokens[:n], given[:n], count, 1.5)
            assert torch.equal(places, torch.arange(count).expand(n, -1))
            wanted = conditional + 1.5 * (conditional - without)
            torch.testing.assert_close(logits, wanted[:n], atol=1e-4, rtol=1e-4)
    assert (logits - conditional[:1]).abs().max() > 0.1


def test_pixels_are_truncated_and_clipped():
    values = torch.tensor([-0.1, 0.0, 0.999 / 255, 1.0 / 255 + 1e-6, 254.99 / 255, 1.0, 1.7])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"temperature": -1.0}, "temperature is -1"),
        ({"guidance": math.nan}, "guidance is nan"),
        ({"precision": "float16"}, "unknown precision 'float16'.*valid: bfloat16, float32"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(PenumbraError, match=message):
        Decoding(**options)


def test_parts_that_do_not_fit_are_refused(parts):
    with pytest.raises(PenumbraError, match=r"representations of 6 numbers.*\(5, 7\)"):
        made(parts, rows=torch.zeros(5, 7))
    with pytest.raises(PenumbraError, match="5 representations and 2 seeds"):
        made(parts, seeds=(1, 2))
    rows = representations()
    rows[3, 0] = math.inf
    with pytest.raises(PenumbraError, match=r"1 of 5 representations.*first row 3"):
        made(parts, rows=rows)
    other = vqgan.build(**TOKENIZER | {"codes": 19}).eval()
    with pytest.raises(PenumbraError, match="20 codes, the tokenizer has 19"):
        made((parts[0], other))


def test_numbers_that_are_not_finite_end_it():
    mage, tokenizer = small(), vqgan.build(**TOKENIZER)
    with torch.no_grad():
        mage.decoder_norm.bias[0] = math.nan
    with pytest.raises(PenumbraError, match="logits are not finite"):
        made((mage, tokenizer))
    with torch.no_grad():
        tokenizer.decoder.conv_out.bias[0] = math.inf
    with pytest.raises(PenumbraError, match="not finite"):
        made((small(), tokenizer))
