"""ResNets of two 3×3 convolutions a block (He et al. 2016), of any width."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.residual import ResidualNetwork


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


class BasicResNet(ResidualNetwork):
    """`counts` blocks in four layers of 1, 2, 4 and 8 times the channels of the stem `conv1`."""

    convolutions = ("conv2", "conv1")

    def __init__(self, classes: int, counts: Sequence[int], conv1: nn.Conv2d, maxpool: nn.Module):
        super().__init__()
        width = conv1.out_channels
        self.conv1 = conv1
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = maxpool
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
