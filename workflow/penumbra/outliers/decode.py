"""Images from representations by MAGE: iterative parallel decoding of tokens (Chang et al. 2022).

As RCG publishes it, except that the representation-free half of classifier-free guidance is really
there (the published code loses it where representations are given) and that every image draws its
own numbers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.generative.mage import Mage
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.options.parts.mage import Decoding


@dataclass(frozen=True)
class Iteration:
    """One step: the tokens (N, L) before it, and what it predicts and draws at the unknown ones.

    `complete` (N, L) has all drawn codes, `after` (N, L) those that were not masked again.
    """

    tokens: Tensor
    unknown: Tensor  # (N, U) places, ascending
    logits: Tensor  # (N, U, K), guided
    confidence: Tensor  # (N, U)
    complete: Tensor
    after: Tensor


def mask_lengths(length: int, steps: int) -> list[int]:
    """How many of `length` tokens are masked again after each step: a cosine, at least 1.

    One token fewer than before, at least. In float64: in float32 some lengths fall one short.
    """
    left, lengths = length, []
    for step in range(steps):
        wanted = math.floor(length * math.cos(math.pi / 2 * ((step + 1) / steps)))
        left = max(1, min(left - 1, wanted))
        lengths.append(left)
    return lengths


def draws(seeds: Sequence[int], steps: int, length: int) -> tuple[Tensor, Tensor]:
    """Uniform and Gumbel numbers, each (steps, N, length) float64; column i is of seed i alone."""
    numbers = np.empty((2, steps, len(seeds), length))
    for column, seed in enumerate(seeds):
        generator = np.random.default_rng(seed)
        numbers[0, :, column] = generator.random((steps, length))
        numbers[1, :, column] = generator.gumbel(size=(steps, length))
    uniform, gumbel = torch.from_numpy(numbers)
    return uniform, gumbel


def sample(logits: Tensor, uniform: Tensor) -> Tensor:
    """Codes (...) of logits (..., K) by inverse CDF: the first k whose cumulated share is > u."""
    shares = logits.softmax(-1).cumsum(-1, dtype=torch.float64)
    target = uniform[..., None] * shares[..., -1:]
    return torch.searchsorted(shares, target, right=True)[..., 0].clamp_(max=logits.shape[-1] - 1)


def split(masked: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Places of the known (N, L - count) and unknown (N, count) tokens of each row, ascending."""
    order = masked.byte().argsort(dim=1, stable=True)
    return order[:, : masked.shape[1] - count], order[:, masked.shape[1] - count :]


def guided_logits(
    mage: Mage, tokens: Tensor, representations: Tensor, count: int, weight: float
) -> tuple[Tensor, Tensor]:
    """Places (N, count) of the unknown tokens and their logits l + weight · (l - l without rep.).

    While nothing is known, the second half is one row for all images.
    """
    n, length = tokens.shape
    if weight:
        others = 1 if count == length else n
        tokens = torch.cat([tokens, tokens[:others]])
        null = mage.fake_latent.expand(others, -1)
        representations = torch.cat([representations, null.to(representations.dtype)])
    known, unknown_ = split(tokens == mage.mask_id, count)
    logits = mage.unknown_logits(tokens, representations, known, unknown_)
    if weight:
        logits = logits[:n] + weight * (logits[:n] - logits[n:])
    return unknown_[:n], logits


def iterations(
    mage: Mage, representations: Tensor, uniform: Tensor, gumbel: Tensor, options: Decoding
) -> Iterator[Iteration]:
    """All steps of decoding (N, R) with given draws, each (steps, N, L) in token order.

    Exactly `mask_lengths` tokens are masked again, those of lowest confidence; equals by place.
    """
    n, length = len(representations), mage.length
    tokens = torch.full((n, length), mage.mask_id, device=representations.device)
    count = length
    for step, left in enumerate(mask_lengths(length, options.steps)):
        share = (step + 1) / options.steps
        places, logits = guided_logits(
            mage, tokens, representations, count, options.guidance * share
        )
        codes = sample(logits, uniform[step].gather(1, places))
        chosen = logits.log_softmax(-1).gather(2, codes[:, :, None])[:, :, 0]
        noise = options.temperature * (1 - share) * gumbel[step].gather(1, places)
        confidence = chosen + noise
        lowest = confidence.argsort(dim=1, stable=True)[:, :left]
        complete = tokens.scatter(1, places, codes)
        after = complete.scatter(1, places.gather(1, lowest), mage.mask_id)
        yield Iteration(tokens, places, logits, confidence, complete, after)
        tokens, count = after, left


def decode_tokens(
    mage: Mage, representations: Tensor, uniform: Tensor, gumbel: Tensor, options: Decoding
) -> Tensor:
    """Code indices (N, L) of representations (N, R), with given draws, each (steps, N, L).

    Raises:
        PenumbraError: the network's logits are not finite.
    """
    bad = torch.zeros((), dtype=torch.bool, device=representations.device)
    for last in iterations(mage, representations, uniform, gumbel, options):
        bad |= last.confidence.isnan().any()
    if bad:
        raise PenumbraError(
            "MAGE's logits are not finite; check its checkpoint, or decode in precision float32"
        )
    return last.complete


def to_uint8(images: Tensor) -> Tensor:
    """Images in [0, 1] -> uint8, truncated, not rounded, as published; the rest is clipped."""
    return (images * 255).clamp(0, 255).to(torch.uint8)


@torch.inference_mode()
def generate(
    mage: Mage,
    tokenizer: Tokenizer,
    representations: Tensor,
    seeds: Sequence[int],
    options: Decoding,
    batch_size: int,
) -> np.ndarray:
    """Images uint8 (N, 3, H, W) of representations (N, R) on the networks' device.

    Image i is drawn from seeds[i] alone; the batch size changes it no more than the order of sums
    does, mostly not at all, rarely a pixel by one level.

    Raises:
        PenumbraError: the parts do not fit together, or a number is not finite.
    """
    _check(mage, tokenizer, representations, seeds)
    mage.eval()
    tokenizer.eval()
    device, grid = representations.device, (-1, mage.side, mage.side)
    parts = []
    for start in range(0, len(seeds), batch_size):
        rows = slice(start, start + batch_size)
        uniform, gumbel = (
            numbers.to(device) for numbers in draws(seeds[rows], options.steps, mage.length)
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
            tokens = decode_tokens(mage, representations[rows], uniform, gumbel, options)
            images = tokenizer.decode(tokens.reshape(grid)).float()
        if not images.isfinite().all():
            raise PenumbraError("the tokenizer decodes to numbers that are not finite")
        parts.append(to_uint8(images).cpu())
    return torch.cat(parts).numpy()


def _check(mage: Mage, tokenizer: Tokenizer, representations: Tensor, seeds: Sequence[int]) -> None:
    width = mage.fake_latent.shape[1]
    if representations.ndim != 2 or representations.shape[1] != width:
        raise PenumbraError(
            f"MAGE takes representations of {width} numbers, got shape "
            f"{tuple(representations.shape)}; were they made by its own encoder?"
        )
    if len(seeds) != len(representations) or not len(seeds):
        raise PenumbraError(
            f"{len(representations)} representations and {len(seeds)} seeds; each needs its own"
        )
    bad = (~representations.isfinite()).any(1).nonzero().flatten().tolist()
    if bad:
        raise PenumbraError(
            f"{len(bad)} of {len(representations)} representations are not finite, first row "
            f"{bad[0]}"
        )
    if tokenizer.codes != mage.codes:
        raise PenumbraError(
            f"MAGE predicts {mage.codes} codes, the tokenizer has {tokenizer.codes}; they must "
            "come from one training"
        )
