"""T2T-ViT (Yuan et al. 2021): neighbouring tokens are merged twice before a thin transformer."""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.base import Classifier
from penumbra.networks.layers.performer import Performer
from penumbra.networks.layers.positions import time_steps
from penumbra.networks.layers.transformer import EPSILON, Block
from penumbra.options.check import require
from penumbra.options.ranges import Count, Divides, at_least

# Heads share the width, and its halves are cosines and sines of a place.
TOGETHER = (Divides("heads", "width", times=2),)

# Kernel, stride and padding of each soft split: sides are divided by 16, or by 4. `small` is for
# 16×16 pixels: it spares the first Performer the full resolution.
SPLITS = {
    "imagenet": ((7, 4, 2), (3, 2, 1), (3, 2, 1)),
    "cifar": ((3, 1, 1), (3, 2, 1), (3, 2, 1)),
    "small": ((3, 2, 1), (3, 1, 1), (3, 2, 1)),
}
TOKEN_WIDTH = 64
FEATURES = 32  # of the Performers: half their width


class T2TViT(Classifier):
    """Default: T2T-ViT-14; the penultimate feature is the class token.

    Without stochastic depth, which the paper trains with. Linear layers keep torch's first draw:
    ViT's deviation of .02 is for its width, and a narrow one does not learn from it. Tokens are no
    feature maps, so there are no blocks to read and no positions but the input.
    """

    blocks = ()
    positions = {}
    last_weights = ()
    waves: Tensor

    def __init__(
        self,
        classes: int,
        image_size: int,
        depth: int,
        width: int,
        heads: int,
        stem: str,
    ):
        super().__init__()
        if stem not in SPLITS:
            raise unknown("stem", stem, SPLITS, "backbone")
        require("T2T-ViT", TOGETHER, width=width, heads=heads)
        self.splits, self.image_size = SPLITS[stem], image_size
        side = image_size
        for kernel, stride, padding in self.splits:
            side = (side + 2 * padding - kernel) // stride + 1
        areas = [kernel**2 for kernel, _, _ in self.splits]
        self.performers = nn.ModuleList(
            [
                Performer(3 * areas[0], TOKEN_WIDTH, FEATURES),
                Performer(TOKEN_WIDTH * areas[1], TOKEN_WIDTH, FEATURES),
            ]
        )
        self.project = nn.Linear(TOKEN_WIDTH * areas[2], width)
        self.class_token = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, width), std=0.02))
        # A sequence's places have the same waves as time steps.
        waves = time_steps(torch.arange(side**2 + 1), width)[None]
        self.register_buffer("waves", waves, persistent=False)
        self.layers = nn.ModuleList([Block(width, heads, 3 * width) for _ in range(depth)])
        self.levels = tuple(f"layers.{i}" for i in range(depth))
        self.norm = nn.LayerNorm(width, EPSILON)
        self.fc = nn.Linear(width, classes)

    def _tokens(self, x: Tensor) -> Tensor:
        """Images (N, 3, S, S) -> the sequence (N, 1 + L, width), class token first."""
        if x.shape[2:] != (self.image_size, self.image_size):
            raise PenumbraError(
                f"T2T-ViT is built for images of side {self.image_size}, not "
                f"{tuple(x.shape[2:])}; set the backbone's image_size"
            )
        for performer, split in zip(self.performers, self.splits[:-1], strict=True):
            x = _image(performer(_soft_split(x, split)))
        x = self.project(_soft_split(x, self.splits[-1]))
        return torch.cat([self.class_token.expand(len(x), -1, -1), x], 1) + self.waves

    def _class_feature(self, x: Tensor) -> Tensor:
        return x[:, 0]

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Tokens, transformer layers, all tokens normalised, the class token's as feature."""
        layers = zip(self.levels, self.layers, strict=True)
        end = ("feature", self._class_feature)
        return [("tokens", self._tokens), *layers, ("norm", self.norm), end]


def _soft_split(x: Tensor, split: tuple[int, int, int]) -> Tensor:
    """Overlapping patches of maps (N, C, H, W) as tokens (N, L, C · kernel²)."""
    kernel, stride, padding = split
    return F.unfold(x, kernel, stride=stride, padding=padding).transpose(1, 2)


def _image(tokens: Tensor) -> Tensor:
    """Tokens (N, S², C) in row-major order as maps (N, C, S, S)."""
    side = math.isqrt(tokens.shape[1])
    return tokens.transpose(1, 2).unflatten(2, (side, side))


def build(
    classes: int,
    image_size: Annotated[int, at_least(8)] = 224,
    depth: Count = 14,
    width: Count = 384,
    heads: Count = 6,
    stem: Literal["imagenet", "cifar", "small"] = "imagenet",
) -> Classifier:
    """The network for `classes` classes; images of `image_size` pixels a side."""
    return T2TViT(classes, image_size, depth, width, heads, stem)
