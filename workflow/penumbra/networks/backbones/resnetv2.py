"""Pre-activation ResNets in the layout of BiT (Kolesnikov et al. 2020), by BiT's names.

Group norm and weights standardised per filter, so that nothing depends on the batch; normalisation
and ReLU before each convolution (He et al. 2016b), and once more before pooling. Bad-OOD's Table 1
calls its larger network ResNetv2-101, as RankFeat (Song et al. 2022) that of BiT.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.base import Classifier, pool
from penumbra.options.ranges import Count

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
GROUPS = 32
EPSILON = 1e-10  # of a filter's variance
# What the published NumPy files call the convolutions and norms of a block.
UNITS = {"a": "1", "b": "2", "c": "3"}
# And what they and BiT's code call what lies outside of blocks.
OUTSIDE = {
    **{"root_block/": "root.conv.", "group_norm/": "norm.", "head/conv2d/": "fc."},
    **{"head.conv.": "fc.", "head.gn.": "norm."},
}


class StandardConv2d(nn.Conv2d):
    """A convolution without bias whose filters have mean 0 and variance 1 when it is applied."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int = 1):
        super().__init__(inputs, outputs, side, stride, side // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        weight = (self.weight - mean) / torch.sqrt(variance + EPSILON)
        return F.conv2d(x, weight, None, self.stride, self.padding)


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups, or as many as divide the channels of a narrower network."""
    return nn.GroupNorm(math.gcd(GROUPS, channels), channels)


class Block(nn.Module):
    """1×1, 3×3 and 1×1 convolutions, each behind norm and ReLU, and a residual sum."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        width = outputs // 4
        self.gn1, self.conv1 = group_norm(inputs), StandardConv2d(inputs, width, 1)
        self.gn2, self.conv2 = group_norm(width), StandardConv2d(width, width, 3, stride)
        self.gn3, self.conv3 = group_norm(width), StandardConv2d(width, outputs, 1)
        changes = stride != 1 or inputs != outputs
        self.downsample = StandardConv2d(inputs, outputs, 1, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride), before any ReLU."""
        active = F.relu(self.gn1(x))
        kept = x if self.downsample is None else self.downsample(active)
        out = self.conv2(F.relu(self.gn2(self.conv1(active))))
        return self.conv3(F.relu(self.gn3(out))) + kept


class ResNetV2(Classifier):
    """`counts` blocks in four layers of 4, 8, 16 and 32 times `width` channels (published: 64).

    Blocks are read as the residual sums that they give, before the next one's norm.
    """

    def __init__(self, classes: int, counts: Sequence[int], width: int, stem: str):
        super().__init__()
        large = stem == "imagenet"
        conv = StandardConv2d(3, width, 7, 2) if large else StandardConv2d(3, width, 3)
        self.root = nn.Sequential()
        self.root.add_module("conv", conv)
        if large:  # zeros around the map, where a pool's own padding would never win
            self.root.add_module("pad", nn.ConstantPad2d(1, 0.0))
            self.root.add_module("pool", nn.MaxPool2d(3, 2))
        self.body = nn.Module()
        inputs = width
        for i, count in enumerate(counts, 1):
            outputs = width * 2 ** (i + 1)
            layer = nn.Sequential()
            for j in range(1, count + 1):
                stride = 2 if i > 1 and j == 1 else 1
                layer.add_module(f"unit{j:02d}", Block(inputs, outputs, stride))
                inputs = outputs
            self.body.add_module(f"block{i}", layer)
        self.norm = group_norm(inputs)
        self.fc = nn.Linear(inputs, classes)
        self._name(counts)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _name(self, counts: Sequence[int]) -> None:
        self.blocks = tuple(f"block{i}.{j}" for i, n in enumerate(counts, 1) for j in range(n))
        self.levels = tuple(f"block{i}.{n - 1}" for i, n in enumerate(counts, 1))
        self.positions = {"middle": self.levels[1], "final": self.levels[3]}
        last = f"body.block4.unit{counts[3]:02d}"
        self.last_weights = (f"{last}.conv3.weight", f"{last}.conv2.weight")

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Stem, residual blocks, pooling behind the last norm and ReLU."""
        units = (unit for layer in self.body.children() for unit in layer.children())
        return [("stem", self.root), *zip(self.blocks, units, strict=True), ("pool", self._pool)]

    def _pool(self, x: Tensor) -> Tensor:
        return pool(F.relu(self.norm(x)))

    def own_name(self, name: str) -> str:
        """What a tensor of BiT's code, or of its published NumPy files, is called here."""
        name = name.removeprefix("resnet/").replace("standardized_conv2d/kernel", "weight")
        name = name.replace("gamma", "weight").replace("beta", "bias").replace("kernel", "weight")
        matched = re.fullmatch(
            r"(block\d/unit\d\d)/([abc])/(proj/|group_norm/)?(weight|bias)", name
        )
        if matched:
            unit, letter, kind, leaf = matched.groups()
            layer = {"proj/": "downsample", "group_norm/": f"gn{UNITS[letter]}"}
            of = layer.get(kind, f"conv{UNITS[letter]}")
            return f"body.{unit.replace('/', '.')}.{of}.{leaf}"
        for theirs, ours in OUTSIDE.items():
            name = name.replace(theirs, ours)
        return name


def build(
    classes: int,
    layers: Literal[50, 101],
    width: Count = 64,
    stem: Literal["imagenet", "cifar"] = "imagenet",
) -> Classifier:
    """The network for `classes` classes."""
    return ResNetV2(classes, BLOCKS[layers], width, stem)
