"""ResNets (He et al. 2016) of 18, 34, 50 or 101 layers, of any width, by torchvision's names.

FN (Yu et al. 2023) takes 18 layers with the stem `fn` for 32×32 images, Bad-OOD 34 as detector;
Dream-OOD, whose hyper-parameters Bad-OOD takes over, keeps the `cifar` stem even at 224 pixels, for
sixteen times the arithmetic.
"""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.base import Classifier
from penumbra.networks.layers.residual import ResidualNetwork, make_stem
from penumbra.options.ranges import Count

# Blocks in each of the four layers; from 50 on a block is a bottleneck of three convolutions.
BASIC = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
Stem = Literal["imagenet", "cifar", "fn"]


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with BN and a residual sum; ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.downsample(x))


class BasicResNet(ResidualNetwork):
    """`counts` blocks in four layers of 1, 2, 4 and 8 times `width` channels (papers: 64)."""

    convolutions = ("conv2", "conv1")

    def __init__(self, classes: int, counts: Sequence[int], width: int, stem: str):
        super().__init__()
        self.conv1, self.maxpool = make_stem(stem, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _layer(counts[0], width, width, 1)
        self.layer2 = _layer(counts[1], width, 2 * width, 2)
        self.layer3 = _layer(counts[2], 2 * width, 4 * width, 2)
        self.layer4 = _layer(counts[3], 4 * width, 8 * width, 2)
        self.fc = nn.Linear(8 * width, classes)
        self.name_blocks(counts)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _layer(count: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
    rest = (BasicBlock(outputs, outputs, 1) for _ in range(count - 1))
    return nn.Sequential(BasicBlock(inputs, outputs, stride), *rest)


def build(
    classes: int, layers: Literal[18, 34, 50, 101], width: Count = 64, stem: Stem = "imagenet"
) -> Classifier:
    """The network for `classes` classes."""
    if layers in BASIC:
        return BasicResNet(classes, BASIC[layers], width, stem)
    from penumbra.networks.layers.bottleneck import BottleneckResNet  # which imports torchvision

    return BottleneckResNet(classes, BOTTLENECK[layers], width, stem)
