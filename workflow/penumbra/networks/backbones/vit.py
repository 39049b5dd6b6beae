"""The vision transformer (Dosovitskiy et al. 2021) under the names of torchvision's `vit_b_16`."""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.base import Classifier
from penumbra.networks.layers.transformer import EPSILON
from penumbra.options.check import require
from penumbra.options.ranges import Bound, Count, Divides

# Heads share the width, and patches cover the image.
TOGETHER = (Divides("heads", "width"), Divides("patch", "image_size"))


class Layer(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): Eq. 2 and 3."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float):
        super().__init__()
        first, second = nn.Linear(width, hidden), nn.Linear(hidden, width)
        for linear in (first, second):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.normal_(linear.bias, std=1e-6)
        self.ln_1 = nn.LayerNorm(width, EPSILON)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(width, EPSILON)
        self.mlp = nn.Sequential(first, nn.GELU(), nn.Dropout(dropout), second, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """(N, L, W) -> (N, L, W)."""
        normed = self.ln_1(x)
        x = x + self.dropout(self.self_attention(normed, normed, normed, need_weights=False)[0])
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """What torchvision names `encoder.…`: embeddings of the places, layers, the last norm."""

    def __init__(self, tokens: int, width: int, depth: int, heads: int, mlp: int, dropout: float):
        super().__init__()
        places = torch.empty(1, tokens, width)
        self.pos_embedding = nn.Parameter(nn.init.normal_(places, std=0.02))
        self.layers = nn.Sequential()
        for i in range(depth):
            self.layers.add_module(f"encoder_layer_{i}", Layer(width, heads, mlp, dropout))
        self.ln = nn.LayerNorm(width, EPSILON)


class ViT(Classifier):
    """Default: ViT-B/16; the penultimate feature is the class token behind the last norm.

    Tensors have torchvision's names and shapes, but for its last layer `heads.head`, which is `fc`
    as in every network here; files are taken up with either name. Initial weights are drawn as
    torchvision draws them, but the last layer's, zeros there, as torch does. Tokens are no feature
    maps, so there are no blocks to read and no positions but the input.
    """

    blocks = ()
    positions = {}
    last_weights = ()

    def __init__(
        self,
        classes: int,
        image_size: int,
        patch: int,
        width: int,
        depth: int,
        heads: int,
        mlp: int,
        dropout: float,
    ):
        super().__init__()
        sizes = {"width": width, "heads": heads, "patch": patch, "image_size": image_size}
        require("ViT", TOGETHER, **sizes)
        self.image_size = image_size
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch**2)))
        nn.init.zeros_(self.conv_proj.get_parameter("bias"))
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.dropout = nn.Dropout(dropout)
        tokens = (image_size // patch) ** 2 + 1
        self.encoder = Encoder(tokens, width, depth, heads, mlp, dropout)
        self.levels = tuple(f"layers.{i}" for i in range(depth))
        self.fc = nn.Linear(width, classes)

    def _tokens(self, x: Tensor) -> Tensor:
        """Images (N, 3, S, S) -> the sequence (N, 1 + L, width), class token first: Eq. 1."""
        if x.shape[2:] != (self.image_size, self.image_size):
            raise PenumbraError(
                f"ViT is built for images of side {self.image_size}, not {tuple(x.shape[2:])}; "
                "set the backbone's image_size"
            )
        patches = self.conv_proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], 1)
        return self.dropout(tokens + self.encoder.pos_embedding)

    def _class_feature(self, x: Tensor) -> Tensor:
        return x[:, 0]

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Tokens, transformer layers, all tokens normalised, the class token's as feature."""
        layers = zip(self.levels, self.encoder.layers, strict=True)
        end = ("feature", self._class_feature)
        return [("tokens", self._tokens), *layers, ("norm", self.encoder.ln), end]


def build(
    classes: int,
    image_size: Count = 224,
    patch: Count = 16,
    width: Count = 768,
    depth: Count = 12,
    heads: Count = 12,
    mlp: Count = 3072,
    dropout: Annotated[float, Bound(0, 1, open_high=True)] = 0.0,
) -> Classifier:
    """The network for `classes` classes; images of `image_size` pixels a side.

    Its patches have `patch` pixels a side, its MLPs `mlp` hidden units.
    """
    return ViT(classes, image_size, patch, width, depth, heads, mlp, dropout)
