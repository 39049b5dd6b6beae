"""Codebooks whose unused codes start anew, so that a short training fills them."""

import torch
from torch import Tensor, nn

PATIENCE = 20  # steps that a code may stay unused


class Idle(nn.Module):
    """For each code (K,), how many steps ago it was last nearest to a vector: `steps`."""

    steps: Tensor

    def __init__(self, codes: Tensor):
        super().__init__()
        # No code has been used yet, so the first batch lends its vectors to all.
        steps = torch.full_like(codes[:, 0], PATIENCE)
        self.register_buffer("steps", steps.detach().long())

    @torch.no_grad()
    def restart(self, codes: Tensor, z: Tensor, generator: torch.Generator) -> None:
        """Codes (K, D) unused for PATIENCE steps become random vectors of z (N, D, h, w)."""
        vectors = z.permute(0, 2, 3, 1).flatten(0, 2).to(codes.dtype)
        picks = torch.randint(len(vectors), (len(codes),), generator=generator, device=codes.device)
        dead = self.steps >= PATIENCE
        codes.copy_(vectors[picks].where(dead[:, None], codes))
        self.steps.masked_fill_(dead, 0)

    def count(self, indices: Tensor) -> None:
        """Another step, whose vectors were nearest to the codes `indices` (...)."""
        self.steps += 1
        self.steps[indices.flatten()] = 0
