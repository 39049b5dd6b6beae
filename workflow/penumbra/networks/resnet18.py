"""ResNet-18 for 32×32 images as in FN (Yu et al. 2023): 3×3 stem without max-pool."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.base import Classifier, pool


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with BN and a residual sum; ReLU after the sum."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet18(Classifier):
    """Blocks layer1.0 to layer4.1; `width` channels in the first layer (paper: 64).

    FN's repository pads the stem by 2, so maps measure 34, 17, 9, 5 on 32×32 images.
    """

    blocks = tuple(f"layer{i}.{j}" for i in range(1, 5) for j in range(2))
    positions = {"middle": "layer2.1", "final": "layer4.1"}

    def __init__(self, classes: int, width: int = 64, stem_padding: int = 2):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, stem_padding, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = self._layer(width, width, 1)
        self.layer2 = self._layer(width, 2 * width, 2)
        self.layer3 = self._layer(2 * width, 4 * width, 2)
        self.layer4 = self._layer(4 * width, 8 * width, 2)
        self.fc = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    @staticmethod
    def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, 1))

    def _stem(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv1(x)))

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Stem, eight blocks, pooling."""
        layers = [self.layer1, self.layer2, self.layer3, self.layer4]
        named = zip(self.blocks, (block for layer in layers for block in layer), strict=True)
        return [("stem", self._stem), *named, ("pool", pool)]


def build(classes: int, **options: int) -> Classifier:
    """The network for `classes` classes."""
    return ResNet18(classes, **options)
