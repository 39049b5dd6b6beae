"""MoCo-v3's training of the encoder (Chen, Xie & He 2021, Algorithm 1)."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.moco import MoCo, mlp, normalised
from penumbra.options.parts.encoder import Objective
from penumbra.training.similarity import cosines
from penumbra.training.views import Views


class Pair(nn.Module):
    """Encoder, its slowly following copy and the predictor, as in the published files."""

    def __init__(self, encoder: MoCo, hidden: int):
        super().__init__()
        # A random patch projection that stays as it is keeps ViT's training stable.
        encoder.patch_embed.requires_grad_(False)
        self.base_encoder = encoder
        self.momentum_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.predictor = mlp(encoder.representation, hidden, encoder.representation)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.step: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, 3, S, S) -> predictions (N, R)."""
        return self.predictor(self.base_encoder(x))


class ContrastiveObjective:
    """Two views of an image are told from views of the batch's other images.

    `pixels` are uint8 (N, 3, H, W) on the device; `steps` is the number of optimiser steps of the
    whole run, over which the momentum rises to 1.
    """

    def __init__(self, pixels: Tensor, encoder: MoCo, options: Mapping[str, Any], steps: int):
        self.options = o = Objective.of(options)
        self.pixels, self.steps = pixels, steps
        self.views = Views(**vars(o.views))
        self.module = Pair(encoder, o.predictor).to(pixels.device)

    def __len__(self) -> int:
        return len(self.pixels)

    def loss(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """The symmetrised InfoNCE loss () of the images `rows` (n,), n > 1.

        Raises:
            PenumbraError: there is one image only.
        """
        if len(rows) < 2:
            raise PenumbraError(
                f"a batch of one image has nothing to contrast it with; choose a batch_size that "
                f"does not leave one of the {len(self)} images over"
            )
        pixels = self.pixels[rows]
        size = self.module.base_encoder.image_size
        first, second = (normalised(self.views(pixels, size, generator)) for _ in range(2))
        with torch.no_grad():
            keys = [self.module.momentum_encoder(x) for x in (second, first)]
        queries = [self.module(x) for x in (first, second)]
        pairs = zip(queries, keys, strict=True)
        return sum((self._contrast(q, k) for q, k in pairs), start=pixels.new_zeros(()).float())

    def _contrast(self, queries: Tensor, keys: Tensor) -> Tensor:
        temperature = self.options.temperature
        logits = cosines(queries, keys, temperature)
        targets = torch.arange(len(queries), device=queries.device)
        return F.cross_entropy(logits, targets) * 2 * temperature

    @torch.no_grad()
    def after(self) -> None:
        """Let the copy follow: θ' ← m θ' + (1 - m) θ, parameters only, as published."""
        share = 1 - self._momentum()
        base, copied = self.module.base_encoder, self.module.momentum_encoder
        for theirs, ours in zip(copied.parameters(), base.parameters(), strict=True):
            theirs.lerp_(ours, share)
        self.module.step += 1

    def _momentum(self) -> Tensor:
        """m () of this step, on the device, so that nothing waits for it."""
        start = self.options.momentum
        progress = self.module.step / self.steps
        if self.options.momentum_schedule == "constant":
            progress = torch.zeros_like(progress)
        return 1 - 0.5 * (1 + torch.cos(math.pi * progress)) * (1 - start)

    def artifacts(self) -> dict[str, Tensor]:
        """The encoder (not its copy), under the names of the MoCo class."""
        return {
            name: value.clone() for name, value in self.module.base_encoder.state_dict().items()
        }
