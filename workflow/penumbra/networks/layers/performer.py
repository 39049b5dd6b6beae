"""Attention in linear time by positive random features (Choromanski et al. 2021, FAVOR+)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.layers import transformer

EPSILON = 1e-6


class Performer(nn.Module):
    """One head of attention, `inputs` -> `width`, then an MLP, for thousands of tokens.

    As in T2T-ViT (Yuan et al. 2021), the values are the residual branch, since the width changes.
    The directions are drawn once and lie in the state dict.
    """

    directions: Tensor

    def __init__(self, inputs: int, width: int, features: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(inputs, transformer.EPSILON)
        self.kqv = nn.Linear(inputs, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, transformer.EPSILON)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        rows = nn.init.orthogonal_(torch.empty(features, width))
        self.register_buffer("directions", rows * width**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, inputs) -> (N, L, width)."""
        k, q, v = self.kqv(self.norm1(x)).chunk(3, -1)
        # Exponentials of sums, and sums over all tokens: more than bfloat16 can hold.
        with torch.autocast(x.device.type, enabled=False):
            mixed = linear_attention(q.float(), k.float(), v.float(), self.directions)
        x = v + self.proj(mixed)
        return x + self.mlp(self.norm2(x))


def linear_attention(q: Tensor, k: Tensor, v: Tensor, directions: Tensor) -> Tensor:
    """softmax(q kᵀ / √D) v, estimated: queries, keys and values (N, L, D) -> (N, L, D).

    `directions` (M, D) are standard normal, or of their mean length √D (the paper's regularised
    kernel); the error falls with M.
    """
    q, k = exponents(q, directions), exponents(k, directions)
    # A factor of each query and one of all keys cancel; EPSILON keeps the quotient finite.
    q = (q - q.amax(2, keepdim=True).detach()).exp() + EPSILON
    k = (k - k.amax((1, 2), keepdim=True).detach()).exp() + EPSILON
    shares = q @ k.sum(1)[:, :, None]
    return q @ (k.transpose(1, 2) @ v) / shares


def exponents(x: Tensor, directions: Tensor) -> Tensor:
    """Logarithms of positive features: (N, L, D) -> (N, L, M).

    w · x' - |x'|² / 2 with x' = x / D^¼ for each direction w: the features' products estimate
    exp(q · k / √D), but for a constant factor (Lemma 1).
    """
    x = x * x.shape[-1] ** -0.25
    return F.linear(x, directions) - x.square().sum(-1, keepdim=True) / 2
