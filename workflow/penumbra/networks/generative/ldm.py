"""RCG's LDM: a UNet on latents that attends to one context token, the representation.

Rombach et al. 2022. Parameter names are those of the published file below
`model.diffusion_model.`; its averaged weights, the ones to sample with, lie below `model_ema.`,
all dots removed.
"""

import functools
from collections.abc import Sequence
from typing import Self

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.generative.upsample import Upsample
from penumbra.networks.layers.positions import time_steps
from penumbra.networks.loading.names import listed
from penumbra.networks.loading.states import State, depth, restored, shape, under

GROUPS = 32
OWNER = "LDM"
RAW = "model.diffusion_model."


class ResBlock(nn.Module):
    """Two convolutions around the sum with the time embedding, and a residual sum."""

    def __init__(self, inputs: int, outputs: int, embedding: int):
        super().__init__()
        self.in_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
            nn.Identity(),  # the published dropout of rate 0, which counts in the names
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        same = inputs == outputs
        self.skip_connection = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """(N, inputs, H, W), (N, E) -> (N, outputs, H, W)."""
        h = self.in_layers(x) + self.emb_layers(embedding)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class SpatialTransformer(nn.Module):
    """One transformer block over all places, with cross-attention to the context."""

    def __init__(self, channels: int, head_width: int, context: int):
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels, eps=1e-6)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        block = BasicTransformerBlock(
            channels, channels // head_width, head_width, cross_attention_dim=context
        )
        self.transformer_blocks = nn.ModuleList([block])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """(N, C, H, W), (N, tokens, context) -> (N, C, H, W)."""
        tokens = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            tokens = block(tokens, encoder_hidden_states=context)
        return x + self.proj_out(tokens.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Module):
    """Halves height and width."""

    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H/2, W/2)."""
        return self.op(x)


class Conditioned(nn.ModuleList):
    """Layers in order, each given what it takes besides the map."""

    def forward(self, x: Tensor, embedding: Tensor, context: Tensor) -> Tensor:
        """(N, C, H, W), (N, E), (N, tokens, context) -> (N, C', H', W')."""
        for layer in self:
            if isinstance(layer, ResBlock):
                x = layer(x, embedding)
            elif isinstance(layer, SpatialTransformer):
                x = layer(x, context)
            else:
                x = layer(x)
        return x


class Unet(nn.Module):
    """Predicts the noise in latents; `attention` says of each level whether it attends."""

    def __init__(
        self,
        *,
        channels: int = 4,
        width: int = 256,
        multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 2,
        attention: Sequence[bool] = (True, True, True),
        head_width: int = 32,
        context: int = 256,
    ):
        super().__init__()
        self.channels, self.width, self.context = channels, width, context
        self.embedding, self.head_width = 4 * width, head_width
        self.time_embed = nn.Sequential(
            nn.Linear(width, self.embedding),
            nn.SiLU(),
            nn.Linear(self.embedding, self.embedding),
        )
        sizes = [width * multiplier for multiplier in multipliers]
        self.input_blocks = nn.ModuleList([Conditioned([nn.Conv2d(channels, width, 3, padding=1)])])
        kept = self._descend(sizes, blocks, attention)
        last = sizes[-1]
        self.middle_block = Conditioned(
            [self._res(last, last), self._attend(last), self._res(last, last)]
        )
        self.output_blocks = nn.ModuleList()
        self._ascend(sizes, blocks, attention, kept)
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, sizes[0]),
            nn.SiLU(),
            nn.Conv2d(sizes[0], channels, 3, padding=1),
        )

    def _res(self, inputs: int, outputs: int) -> ResBlock:
        return ResBlock(inputs, outputs, self.embedding)

    def _attend(self, channels: int) -> SpatialTransformer:
        return SpatialTransformer(channels, self.head_width, self.context)

    def _descend(self, sizes: list[int], blocks: int, attention: Sequence[bool]) -> list[int]:
        """Append the blocks of the way down; the channels that each block so far hands across."""
        kept = [self.width]
        for level, (size, attends) in enumerate(zip(sizes, attention, strict=True)):
            for _ in range(blocks):
                block = Conditioned([self._res(kept[-1], size)])
                if attends:
                    block.append(self._attend(size))
                self.input_blocks.append(block)
                kept.append(size)
            if level < len(sizes) - 1:
                self.input_blocks.append(Conditioned([Downsample(size)]))
                kept.append(size)
        return kept

    def _ascend(
        self, sizes: list[int], blocks: int, attention: Sequence[bool], kept: list[int]
    ) -> None:
        current = sizes[-1]
        for level in reversed(range(len(sizes))):
            for number in range(blocks + 1):
                block = Conditioned([self._res(current + kept.pop(), sizes[level])])
                current = sizes[level]
                if attention[level]:
                    block.append(self._attend(current))
                if level and number == blocks:
                    block.append(Upsample(current))
                self.output_blocks.append(block)

    @classmethod
    def from_state(cls, state: State, head_width: int = 32) -> Self:
        """The network whose sizes the shapes of `state` show, with its weights.

        The width of a head, which no shape shows, is 32 in the published network.

        Raises:
            PenumbraError: tensors are missing, not expected or of another shape.
        """
        width, channels = shape(state, "input_blocks.0.0.weight", OWNER)[:2]
        levels: list[list[int]] = [[]]  # numbers of the blocks with a residual block, by level
        for i in range(1, depth(state, "input_blocks.")):
            if f"input_blocks.{i}.0.op.weight" in state:
                levels.append([])
            else:
                levels[-1].append(i)
        sizes = [
            shape(state, f"input_blocks.{level[0]}.0.out_layers.3.weight", OWNER)[0]
            for level in levels
        ]
        cross = "middle_block.1.transformer_blocks.0.attn2.to_k.weight"
        make = functools.partial(
            cls,
            channels=channels,
            width=width,
            multipliers=[size // width for size in sizes],
            blocks=len(levels[0]),
            attention=[f"input_blocks.{level[0]}.1.norm.weight" in state for level in levels],
            head_width=head_width,
            context=shape(state, cross, OWNER)[1],
        )
        return restored(make, state, OWNER)

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        """Latents (N, C, S, S), indices (N,), (N, tokens, context) -> noise (N, C, S, S)."""
        embedding = self.time_embed(time_steps(t, self.width).to(x.dtype))
        kept = []
        for block in self.input_blocks:
            x = block(x, embedding, context)
            kept.append(x)
        x = self.middle_block(x, embedding, context)
        for block in self.output_blocks:
            x = block(torch.cat([x, kept.pop()], 1), embedding, context)
        return self.out(x)


def zeroed(network: Unet) -> Unet:
    """The network with the last layers of its branches at zero, as its training begins."""
    for name, module in network.named_modules():
        if name.endswith((".out_layers.3", ".proj_out")) or name == "out.2":
            for parameter in module.parameters():
                nn.init.zeros_(parameter)
    return network


def averaged_name(name: str) -> str:
    """Where the average of one of the UNet's weights lies."""
    return "model_ema.diffusion_model" + name.replace(".", "")


def averaged(state: State) -> dict[str, Tensor]:
    """The averaged weights of the UNet in a whole LDM's state, under the UNet's own names.

    Raises:
        PenumbraError: there are none for some of the UNet's weights.
    """
    raw = under(state, RAW)
    places = {name: averaged_name(name) for name in raw}
    lacking = [place for place in places.values() if place not in state]
    if lacking or not raw:
        raise PenumbraError(
            f"{OWNER}: no averaged weights, and the raw ones are not to be sampled with; missing: "
            f"{listed(lacking or [RAW + '*'])}"
        )
    return {name: state[place] for name, place in places.items()}
