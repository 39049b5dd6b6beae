"""RCG's DiT: a diffusion transformer on latents, conditioned on a representation.

Peebles & Xie 2023, as RCG (Li, Katabi & He 2024) changed it: a projected representation in the
class embedding's place, and the exact GELU.
"""

import functools
import math
from typing import Self

import torch
from torch import Tensor, nn

from penumbra.networks.layers.positions import grid, time_steps
from penumbra.networks.layers.transformer import EPSILON, Attention, Mlp, PatchEmbedding
from penumbra.networks.loading.states import State, depth, heads_of, restored, shape

HEADS = {1024: 16, 1152: 16}  # of the published DiT-L and XL
WAVES = 256  # width of a time step's sinusoid
GUIDED = 3  # only so many of the noise's four channels are guided, as published
OWNER = "DiT"


def modulation(width: int, numbers: int) -> nn.Sequential:
    """Condition (N, width) -> shifts, scales and gates (N, numbers · width)."""
    return nn.Sequential(nn.SiLU(), nn.Linear(width, numbers * width))


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Tokens (N, L, W), scaled and shifted by (N, W) each."""
    return x * (1 + scale[:, None]) + shift[:, None]


class DitBlock(nn.Module):
    """A pre-norm block whose norms are modulated and whose sums are gated by the condition."""

    def __init__(self, width: int, heads: int, hidden: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, EPSILON, elementwise_affine=False)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, EPSILON, elementwise_affine=False)
        self.mlp = Mlp(width, hidden)
        self.adaLN_modulation = modulation(width, 6)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, L, W), (N, W) -> (N, L, W)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.adaLN_modulation(condition).chunk(6, 1)
        x = x + gate1[:, None] * self.attn(modulated(self.norm1(x), shift1, scale1))
        return x + gate2[:, None] * self.mlp(modulated(self.norm2(x), shift2, scale2))


class FinalLayer(nn.Module):
    """Modulated norm and projection of each token to its patch of the output."""

    def __init__(self, width: int, outputs: int):
        super().__init__()
        self.norm_final = nn.LayerNorm(width, EPSILON, elementwise_affine=False)
        self.linear = nn.Linear(width, outputs)
        self.adaLN_modulation = modulation(width, 2)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(N, L, W), (N, W) -> (N, L, outputs)."""
        shift, scale = self.adaLN_modulation(condition).chunk(2, 1)
        return self.linear(modulated(self.norm_final(x), shift, scale))


class TimeEmbedding(nn.Module):
    """Time steps (N,) -> (N, W)."""

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Indices 0 … 999 -> (N, W)."""
        dtype = self.mlp[0].weight.dtype
        return self.mlp(time_steps(t, WAVES).to(dtype))  # type: ignore[arg-type]


class UnusedClasses(nn.Module):
    """DiT's class embedding: in the published file, in no computation."""

    def __init__(self, width: int):
        super().__init__()
        self.embedding_table = nn.Embedding(1, width)


class DiT(nn.Module):
    """Predicts the noise in latents (N, C, S, S) and how its variance lies in its range."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        side: int,
        patch: int,
        channels: int,
        representation: int,
    ):
        super().__init__()
        self.side, self.patch, self.channels = side, patch, channels
        self.fake_latent = nn.Parameter(torch.zeros(1, representation))
        places = grid(side // patch, width, "column", class_token=False)
        self.pos_embed = nn.Parameter(places, requires_grad=False)
        self.x_embedder = PatchEmbedding(channels, width, patch)
        self.t_embedder = TimeEmbedding(width)
        self.y_embedder = UnusedClasses(width)
        self.rep_embedder = nn.Linear(representation, width)
        self.blocks = nn.ModuleList(DitBlock(width, heads, hidden) for _ in range(depth))
        self.final_layer = FinalLayer(width, patch * patch * 2 * channels)

    @classmethod
    def from_state(cls, state: State, heads: int | None = None) -> Self:
        """The network whose sizes the shapes of `state` show, with its weights.

        Raises:
            PenumbraError: tensors are missing, not expected or of another shape, or the number of
                heads is neither given nor known from the width.
        """
        width, channels, patch, _ = shape(state, "x_embedder.proj.weight", OWNER)
        make = functools.partial(
            cls,
            width=width,
            depth=depth(state, "blocks."),
            heads=heads_of(width, heads, HEADS, OWNER),
            hidden=shape(state, "blocks.0.mlp.fc1.weight", OWNER)[0],
            side=patch * math.isqrt(shape(state, "pos_embed", OWNER)[1]),
            patch=patch,
            channels=channels,
            representation=shape(state, "rep_embedder.weight", OWNER)[1],
        )
        return restored(make, state, OWNER)

    @property
    def representation(self) -> int:
        """Width R of the representations that it is conditioned on."""
        return self.rep_embedder.in_features

    def forward(self, x: Tensor, t: Tensor, representations: Tensor) -> Tensor:
        """Latents (N, C, S, S), indices (N,), (N, R) -> noise and variance (N, 2C, S, S)."""
        condition = self.t_embedder(t) + self.rep_embedder(representations)
        tokens = self.x_embedder(x) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens, condition)
        return self._image(self.final_layer(tokens, condition))

    def guided(self, x: Tensor, t: Tensor, representations: Tensor, scale: float) -> Tensor:
        """As `forward`, with classifier-free guidance of the noise's first three channels.

        A scale of 1 is no guidance, and no second pass.
        """
        if scale == 1:
            return self(x, t, representations)
        free = self.fake_latent.expand(len(x), -1)
        both = self(torch.cat([x, x]), torch.cat([t, t]), torch.cat([representations, free]))
        conditional, unconditional = both.chunk(2)
        rest = conditional[:, GUIDED:]
        conditional, unconditional = conditional[:, :GUIDED], unconditional[:, :GUIDED]
        return torch.cat([unconditional + scale * (conditional - unconditional), rest], 1)

    def _image(self, tokens: Tensor) -> Tensor:
        places, p = self.side // self.patch, self.patch
        patches = tokens.reshape(len(tokens), places, places, p, p, 2 * self.channels)
        return patches.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, self.side, self.side)


def initialised(network: DiT) -> DiT:
    """The network as its training begins: all blocks the identity, all outputs zero."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        if name.endswith("adaLN_modulation.1") or name == "final_layer.linear":
            nn.init.zeros_(module.weight)  # type: ignore[arg-type]
    projection = network.x_embedder.proj
    nn.init.xavier_uniform_(projection.weight.data.flatten(1))
    nn.init.zeros_(projection.bias)  # type: ignore[arg-type]
    time = network.t_embedder.mlp
    for weight in (time[0].weight, time[2].weight, network.fake_latent):
        nn.init.normal_(weight, std=0.02)  # type: ignore[arg-type]
    return network


def build(
    *,
    width: int,
    depth: int,
    heads: int,
    side: int = 32,
    patch: int = 2,
    channels: int = 4,
    representation: int = 256,
) -> DiT:
    """A network of random weights; the defaults are those of every published one."""
    return DiT(
        width=width,
        depth=depth,
        heads=heads,
        hidden=4 * width,
        side=side,
        patch=patch,
        channels=channels,
        representation=representation,
    )
