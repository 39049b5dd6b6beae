"""MoCo-v3's vision transformer with its projector, whose output RCG calls the representation.

Chen, Xie & He 2021; Li, Katabi & He 2024. Parameter names are those of the published files below
`module.base_encoder.`.
"""

import functools
import math
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from penumbra.networks.layers.positions import grid
from penumbra.networks.layers.transformer import EPSILON, Block, PatchEmbedding
from penumbra.networks.loading.states import State, depth, heads_of, restored, shape
from penumbra.options.parts.encoder import Options

HEADS = {384: 12, 768: 12, 1024: 16}  # of the published ViT-S, B and L
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPARED = 256
OWNER = "MoCo-v3 encoder"


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers without bias, each followed by BN; ReLU between; the last BN has no weights."""
    layers: list[nn.Module] = []
    last = len(sizes) - 2
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(inputs, outputs, bias=False))
        layers.append(nn.BatchNorm1d(outputs, affine=i < last))
        if i < last:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class MoCo(nn.Module):
    """ViT (class token after the last LayerNorm) and a projector of three layers."""

    def __init__(
        self,
        *,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        patch: int,
        image_size: int,
        projector: int,
        representation: int,
    ):
        super().__init__()
        self.image_size, self.representation = image_size, representation
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        places = grid(image_size // patch, width, "row", class_token=True)
        self.pos_embed = nn.Parameter(places, requires_grad=False)
        self.patch_embed = PatchEmbedding(3, width, patch)
        self.blocks = nn.ModuleList(Block(width, heads, hidden) for _ in range(depth))
        self.norm = nn.LayerNorm(width, EPSILON)
        self._initialise()
        self.head = mlp(width, projector, projector, representation)

    @classmethod
    def from_state(cls, state: State, heads: int | None = None) -> Self:
        """The encoder whose sizes the shapes of `state` show, with its weights.

        Raises:
            PenumbraError: tensors are missing, not expected or of another shape, or the number of
                heads is neither given nor known from the width.
        """
        width, _, patch, _ = shape(state, "patch_embed.proj.weight", OWNER)
        places = shape(state, "pos_embed", OWNER)[1] - 1
        make = functools.partial(
            cls,
            width=width,
            depth=depth(state, "blocks."),
            heads=heads_of(width, heads, HEADS, OWNER),
            hidden=shape(state, "blocks.0.mlp.fc1.weight", OWNER)[0],
            patch=patch,
            image_size=patch * math.isqrt(places),
            projector=shape(state, "head.0.weight", OWNER)[0],
            representation=shape(state, "head.6.weight", OWNER)[0],
        )
        return restored(make, state, OWNER)

    def _initialise(self) -> None:
        # As MoCo-v3: Xavier for what attends and for the patches, torch's own for the projector.
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                layers = 3 if name.endswith("qkv") else 1  # query, key and value are one layer each
                bound = math.sqrt(6 / (module.out_features // layers + module.in_features))
                nn.init.uniform_(module.weight, -bound, bound)
                nn.init.zeros_(module.bias)
        proj = self.patch_embed.proj
        bound = math.sqrt(6 / (proj.weight[0].numel() + proj.out_channels))
        nn.init.uniform_(proj.weight, -bound, bound)
        nn.init.zeros_(proj.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.cls_token, std=1e-6)

    def inputs(self, pixels: Tensor) -> Tensor:
        """uint8 (N, 3, H, W) -> inputs (N, 3, S, S) of the encoder's image size S.

        As RCG: normalised first, then resized by bicubic interpolation without antialiasing.
        """
        x = normalised(pixels.to(self.cls_token.dtype) / 255)
        if x.shape[-2:] == (self.image_size, self.image_size):
            return x
        return F.interpolate(x, (self.image_size, self.image_size), mode="bicubic")

    def features(self, x: Tensor) -> Tensor:
        """Inputs (N, 3, S, S) -> class tokens (N, width)."""
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 0])

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (N, 3, S, S) -> projections (N, R); BN acts as the module's mode says."""
        return self.head(self.features(x))

    def project(self, features: Tensor) -> Tensor:
        """(N, width) -> (N, R) with BN's running statistics, also in train mode."""
        for layer in self.head:
            features = _settled(layer, features)
        return features

    def represent(self, x: Tensor) -> Tensor:
        """Inputs (N, 3, S, S) -> representations (N, R), each of mean 0 and unbiased std 1."""
        projections = self.project(self.features(x))
        return (projections - projections.mean(1, keepdim=True)) / projections.std(1, keepdim=True)


def _settled(layer: nn.Module, x: Tensor) -> Tensor:
    if not isinstance(layer, nn.BatchNorm1d):
        return layer(x)
    statistics = (layer.running_mean, layer.running_var)
    return F.batch_norm(x, *statistics, layer.weight, layer.bias, training=False, eps=layer.eps)


def normalised(x: Tensor) -> Tensor:
    """[0, 1] (N, 3, H, W) by ImageNet's mean and deviation."""
    mean, std = (x.new_tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
    return (x - mean) / std


def prepare(image: Image.Image) -> np.ndarray:
    """Any image -> uint8 (3, 256, 256): shorter side to 256, bicubic, then the centre."""
    image = image.convert("RGB")
    scale = PREPARED / min(image.size)
    # The longer side is cut off, not rounded, and the crop's corner rounded, as torchvision does.
    width, height = (PREPARED if s == min(image.size) else int(s * scale) for s in image.size)
    left, top = round((width - PREPARED) / 2), round((height - PREPARED) / 2)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    image = image.crop((left, top, left + PREPARED, top + PREPARED))
    return np.asarray(image).transpose(2, 0, 1).copy()


def build(**options: Any) -> MoCo:
    """An encoder with initial weights; options as those of `penumbra.options.parts.encoder`."""
    own = Options.of(options)
    return MoCo(hidden=4 * own.width, **vars(own))
