"""ResNets (He et al. 2016) of 18, 34, 50 or 101 layers, of any width, by torchvision's names.

FN (Yu et al. 2023) takes 18 layers with the stem `fn` for 32×32 images, Bad-OOD 34 as detector;
Dream-OOD, whose hyper-parameters Bad-OOD takes over, keeps the `cifar` stem even at 224 pixels, for
sixteen times the arithmetic.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from penumbra.errors import unknown
from penumbra.networks.base import Classifier, pool
from penumbra.options.ranges import Count

# Blocks in each of the four layers; from 50 on a block is a bottleneck of three convolutions.
BASIC = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECK = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
WIDTH = 64  # of the published networks
Stem = Literal["imagenet", "cifar", "fn"]


class ResidualNetwork(Classifier):
    """Stem, four layers of residual blocks, pooling and `fc`.

    Blocks layer1.0, …, layer4.j are read after the ReLU that follows each residual sum.
    """

    conv1: nn.Conv2d
    bn1: nn.Module
    maxpool: nn.Module
    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential
    convolutions: tuple[str, str]  # of a residual block: the last and the one before it

    def name_blocks(self, counts: Sequence[int]) -> None:
        """Set `blocks`, and what names some of them, for layers of so many blocks."""
        self.blocks = tuple(f"layer{i}.{j}" for i, n in enumerate(counts, 1) for j in range(n))
        self.positions = {"middle": f"layer2.{counts[1] - 1}", "final": f"layer4.{counts[3] - 1}"}
        self.levels = tuple(f"layer{i}.{n - 1}" for i, n in enumerate(counts, 1))
        self.last_weights = tuple(f"{self.levels[-1]}.{name}.weight" for name in self.convolutions)

    def stem(self, x: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> the first map."""
        return self.maxpool(F.relu(self.bn1(self.conv1(x))))

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Stem, residual blocks, pooling."""
        layers = [self.layer1, self.layer2, self.layer3, self.layer4]
        named = zip(self.blocks, (block for layer in layers for block in layer), strict=True)
        return [("stem", self.stem), *named, ("pool", pool)]


def make_stem(kind: str, width: int) -> tuple[nn.Conv2d, nn.Module]:
    """First convolution, 3 -> `width` channels, and what follows its BN and ReLU.

    `imagenet` divides the sides by four (7×7 of stride 2, then max-pool), `cifar` keeps them (3×3).
    `fn` is `cifar` as in FN's repository, which pads by 2: maps measure 34, 17, 9, 5 on 32×32.

    Raises:
        PenumbraError: the kind is none of them.
    """
    if kind == "imagenet":
        return nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.MaxPool2d(3, 2, 1)
    if kind in ("cifar", "fn"):
        padding = 1 if kind == "cifar" else 2
        return nn.Conv2d(3, width, 3, 1, padding, bias=False), nn.Identity()
    raise unknown("stem", kind, ("cifar", "fn", "imagenet"), "backbone")


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


class BottleneckResNet(ResNet, ResidualNetwork):
    """torchvision's own, `counts` bottlenecks in four layers; `width` channels behind the stem."""

    convolutions = ("conv3", "conv2")

    def __init__(self, classes: int, counts: Sequence[int], width: int, stem: str):
        self.width = width
        ResNet.__init__(self, Bottleneck, list(counts), num_classes=classes)
        if width != WIDTH:
            self.fc = nn.Linear(self.inplanes, classes)
        self.name_blocks(counts)
        if stem != "imagenet":
            self.conv1, self.maxpool = make_stem(stem, self.conv1.out_channels)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def _make_layer(self, block: Any, planes: int, *args: Any, **options: Any) -> nn.Sequential:
        """torchvision's own, called with its widths, at this network's."""
        if self.width != WIDTH and planes == WIDTH:
            self.inplanes = self.width
            self.conv1 = nn.Conv2d(3, self.width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(self.width)
        return ResNet._make_layer(self, block, planes * self.width // WIDTH, *args, **options)

    def forward(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C)."""
        return Classifier.forward(self, x, perturb)


def build(
    classes: int, layers: Literal[18, 34, 50, 101], width: Count = WIDTH, stem: Stem = "imagenet"
) -> Classifier:
    """The network for `classes` classes."""
    if layers in BASIC:
        return BasicResNet(classes, BASIC[layers], width, stem)
    return BottleneckResNet(classes, BOTTLENECK[layers], width, stem)
