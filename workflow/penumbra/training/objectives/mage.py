"""MAGE's training loss on token grids and representations that lie on the device (RCG)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.networks.generative.mage import Mage

LEAST_MASKED = 0.5  # also the share that the encoder never sees
MEAN, DEVIATION = 0.75, 0.25  # of the share masked, a normal cut off at LEAST_MASKED and 1
WITHOUT_REPRESENTATION = 0.1  # share of samples trained with `fake_latent` in its place
SMOOTHING = 0.1


class MageObjective:
    """Cross-entropy of masked tokens (N, L) given the others and representations (N, R).

    Dropout draws from torch's global generator, which the loop seeds.

    Raises:
        PenumbraError: tokens, representations and the network do not fit together.
    """

    def __init__(self, module: Mage, tokens: Tensor, representations: Tensor):
        _check(module, tokens, representations)
        self.module, self.tokens, self.representations = module, tokens, representations

    def __len__(self) -> int:
        return len(self.tokens)

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The loss () of the samples `rows` (n,), with one share masked in the whole batch."""
        tokens, device = self.tokens[rows], self.tokens.device
        noise = torch.rand(tokens.shape, generator=generator, device=device)
        share = masked_share(torch.rand((), generator=generator, device=device))
        without = torch.rand(len(rows), generator=generator, device=device)
        representations = replaced(self.module, self.representations[rows], without)
        return masked_loss(self.module, tokens, representations, *masks(noise, share))

    def after(self) -> None:
        """Nothing follows a step."""

    def artifacts(self) -> dict[str, Tensor]:
        """MAGE's state dict."""
        return self.module.state_dict()


def masked_share(uniform: Tensor) -> Tensor:
    """The truncated normal's quantile at uniform (...) in [0, 1), in [LEAST_MASKED, 1]."""
    low, high = (
        0.5 * (1 + math.erf((bound - MEAN) / DEVIATION / math.sqrt(2)))
        for bound in (LEAST_MASKED, 1.0)
    )
    normal = torch.special.ndtri(low + uniform.double() * (high - low))
    return (MEAN + DEVIATION * normal).clamp(LEAST_MASKED, 1)


def masks(noise: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Which tokens (N, L) are masked, and the places (N, P), ascending, that the encoder sees.

    Masked are the ceil(L · share) tokens of least noise (N, L), unseen the ceil(L / 2) of least.
    """
    order = noise.argsort(dim=1, stable=True)
    length = noise.shape[1]
    masked = order.argsort(dim=1) < (length * share).ceil()
    return masked, order[:, math.ceil(length * LEAST_MASKED) :].sort(dim=1).values


def replaced(mage: Mage, representations: Tensor, uniform: Tensor) -> Tensor:
    """Representations (N, R), `fake_latent` where uniform (N,) is small, for guidance later."""
    return mage.fake_latent.where((uniform < WITHOUT_REPRESENTATION)[:, None], representations)


def masked_loss(
    mage: Mage, tokens: Tensor, representations: Tensor, masked: Tensor, seen: Tensor
) -> Tensor:
    """Label-smoothed cross-entropy () of tokens (N, L), averaged over the masked ones."""
    logits = mage(tokens.masked_fill(masked, mage.mask_id), representations, seen)
    each = F.cross_entropy(
        logits.flatten(0, 1), tokens.flatten(), reduction="none", label_smoothing=SMOOTHING
    )
    return (each * masked.flatten()).sum() / masked.sum()


def _check(mage: Mage, tokens: Tensor, representations: Tensor) -> None:
    if not len(tokens) or len(tokens) != len(representations):
        raise PenumbraError(
            f"MAGE: {len(tokens)} token grids and {len(representations)} representations; it "
            "needs one of each an image"
        )
    if tokens.shape[1] != mage.length or int(tokens.max()) >= mage.codes:
        raise PenumbraError(
            f"MAGE: grids of {tokens.shape[1]} tokens up to code {int(tokens.max())}; the network "
            f"has {mage.length} places and {mage.codes} codes"
        )
    if representations.shape[1] != mage.fake_latent.shape[1]:
        raise PenumbraError(
            f"MAGE: representations of {representations.shape[1]} numbers; the network takes "
            f"{mage.fake_latent.shape[1]}"
        )
