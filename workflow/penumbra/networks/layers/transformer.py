"""The pre-norm transformer of timm 0.3.2 under its names: MoCo-v3, MAGE and DiT build on it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6  # of every LayerNorm here; torch's default is 1e-5


class PatchEmbedding(nn.Module):
    """Square patches as tokens: a convolution whose stride is its kernel."""

    def __init__(self, channels: int, width: int, patch: int):
        super().__init__()
        self.proj = nn.Conv2d(channels, width, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, L, width), L = H · W / patch², in row-major order."""
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention; `qkv` gives (3, heads, head width), scaled by head width^-0.5."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        n, length, width = x.shape
        qkv = self.qkv(x).reshape(n, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=rate)
        return self.proj_drop(self.proj(mixed.transpose(1, 2).reshape(n, length, width)))


class Mlp(nn.Module):
    """Two linear layers with the exact (erf) GELU between them."""

    def __init__(self, width: int, hidden: int, dropout: float = 0.0):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., W) -> (..., W)."""
        return self.drop(self.fc2(self.drop(F.gelu(self.fc1(x)))))


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float = 0.0):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON)
        self.attn = Attention(width, heads, dropout)
        self.norm2 = nn.LayerNorm(width, EPSILON)
        self.mlp = Mlp(width, hidden, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def at(x: Tensor, positions: Tensor) -> Tensor:
    """The vectors (N, P, W) of x (N, L, W) at the positions (N, P)."""
    # Whole rows: gather's own backward would, to be deterministic, sort every single number.
    return x[torch.arange(len(x), device=x.device)[:, None], positions]


def block_at(block: Block, x: Tensor, positions: Tensor) -> Tensor:
    """What a transformer block without dropout gives at `positions` (N, P) of x (N, L, W)."""
    attention = block.attn
    n, _, width = x.shape
    normed = block.norm1(x)
    q_weight, kv_weight = attention.qkv.weight.split([width, 2 * width])
    q_bias, kv_bias = attention.qkv.bias.split([width, 2 * width])
    heads = (attention.heads, width // attention.heads)
    q = F.linear(at(normed, positions), q_weight, q_bias).reshape(n, -1, *heads).transpose(1, 2)
    kv = F.linear(normed, kv_weight, kv_bias).reshape(n, -1, 2, *heads)
    k, v = kv.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v)
    y = at(x, positions) + attention.proj(mixed.transpose(1, 2).reshape(n, -1, width))
    return y + block.mlp(block.norm2(y))
