"""The network of the representation diffusion model (RCG's SimpleMLP), by published key names."""

import torch
from torch import Tensor, nn

from penumbra.networks.layers.positions import time_steps


class Block(nn.Module):
    """h + out(in(h) + term), where the term is the block's share of time and class."""

    def __init__(self, width: int, bottleneck: int, time: int, context: int | None):
        super().__init__()
        self.in_layers = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, bottleneck))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, bottleneck))
        # Place 2 held a dropout of rate 0.
        self.out_layers = nn.Sequential(
            nn.LayerNorm(bottleneck), nn.SiLU(), nn.Identity(), _zero(nn.Linear(bottleneck, width))
        )
        if context is not None:
            self.context_layers = nn.Sequential(nn.SiLU(), nn.Linear(context, bottleneck))

    @property
    def linear(self) -> nn.Linear:
        """The first linear layer."""
        return self.in_layers[2]  # type: ignore[return-value]

    def forward(self, h: Tensor, term: Tensor) -> Tensor:
        """h (N, W), term (N or 1, bottleneck) -> (N, W)."""
        active = self.in_layers[1](self.in_layers[0](h))
        # The term holds the linear layer's bias, so that one kernel adds it all up.
        return h + self.out_layers(torch.addmm(term, active, self.linear.weight.t()))

    def time_term(self, e: Tensor) -> Tensor:
        """Time embeddings (N, E) -> (N, bottleneck), the first linear layer's bias included."""
        return self.linear.bias + self.emb_layers(e)


class Denoiser(nn.Module):
    """D(z, t), the estimate of x0: a residual MLP that runs in the dtype of its weights."""

    def __init__(
        self,
        representation: int,
        width: int,
        time: int,
        blocks: int,
        bottleneck: int,
        context: int | None,
    ):
        super().__init__()
        self.width = width
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.input_proj = nn.Linear(representation, width)
        self.res_blocks = nn.ModuleList(
            Block(width, bottleneck, time, context) for _ in range(blocks)
        )
        self.out = nn.Sequential(
            nn.LayerNorm(width, 1e-6), nn.SiLU(), _zero(nn.Linear(width, representation))
        )

    @property
    def blocks(self) -> list[Block]:
        """The residual blocks, in order."""
        return list(self.res_blocks)  # type: ignore[arg-type]

    def time_terms(self, t: Tensor) -> list[Tensor]:
        """Time indices (N,) -> what each block adds for them, its first bias included."""
        dtype = self.input_proj.weight.dtype
        e = self.time_embed(time_steps(t, self.width).to(dtype))
        return [block.time_term(e) for block in self.blocks]

    def context_terms(self, context: Tensor) -> list[Tensor]:
        """Class embeddings (N, C) -> what each block adds for them."""
        return [block.context_layers(context) for block in self.blocks]

    def estimate(self, z: Tensor, terms: list[Tensor]) -> Tensor:
        """x0 (N, R), in the dtype of z, of states z (N, R); terms (N or 1, bottleneck) a block.

        States that share t share its terms, and a run computes them once.
        """
        h = self.input_proj(z.to(self.input_proj.weight.dtype))
        for block, term in zip(self.blocks, terms, strict=True):
            h = block(h, term)
        return self.out(h).to(z.dtype)

    def forward(self, z: Tensor, t: Tensor, context: Tensor | None = None) -> Tensor:
        """x0 (N, R) of states z (N, R) at indices t (N,); context (N, C) where conditional."""
        terms = self.time_terms(t)
        if context is not None:
            terms = summed(terms, self.context_terms(context))
        return self.estimate(z, terms)


def summed(first: list[Tensor], second: list[Tensor]) -> list[Tensor]:
    """The terms of time and of class together, block by block."""
    return [a + b for a, b in zip(first, second, strict=True)]


def _zero(linear: nn.Linear) -> nn.Linear:
    """A residual branch, or the output, begins at zero, as published."""
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
