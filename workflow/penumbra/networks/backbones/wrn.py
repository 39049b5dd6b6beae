"""Wide ResNet (Zagoruyko & Komodakis 2016) as in FN: pre-activation, dropout 0."""

import math
from collections.abc import Callable
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.base import Classifier, pool
from penumbra.options.ranges import Count, Multiple, at_least

# Three levels of blocks of two convolutions, and four layers besides.
Depth = Annotated[int, at_least(10), Multiple(6, plus=4)]


class PreActivationBlock(nn.Module):
    """BN-ReLU-conv twice and a residual sum; a changed shape is matched by a plain 1×1 conv."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride), before the next BN-ReLU."""
        active = F.relu(self.bn1(x))
        out = self.conv2(F.relu(self.bn2(self.conv1(active))))
        # As published, a block that changes shape feeds the activated input to its shortcut.
        return out + (x if self.shortcut is None else self.shortcut(active))


class WideResNet(Classifier):
    """WRN-depth-widen (paper: 28-10); block1.0, …, signed residual sums before BN-ReLU."""

    def __init__(self, classes: int, depth: int, widen: int):
        super().__init__()
        each = (depth - 4) // 6
        widths = [16, 16 * widen, 32 * widen, 64 * widen]
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.block1 = self._block(each, widths[0], widths[1], 1)
        self.block2 = self._block(each, widths[1], widths[2], 2)
        self.block3 = self._block(each, widths[2], widths[3], 2)
        self.bn1 = nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], classes)
        self.blocks = tuple(f"block{i}.{j}" for i in (1, 2, 3) for j in range(each))
        self.positions = {"middle": f"block2.{each - 1}", "final": f"block3.{each - 1}"}
        # The last residual sum has no network but BN-ReLU after it, so its level ends behind that.
        self.levels = (f"block1.{each - 1}", f"block2.{each - 1}", "active")
        last = f"block3.{each - 1}"
        self.last_weights = (f"{last}.conv2.weight", f"{last}.conv1.weight")
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.kernel_size[0] ** 2 * module.out_channels
                nn.init.normal_(module.weight, 0, math.sqrt(2 / fan))
        nn.init.zeros_(self.fc.bias)

    @staticmethod
    def _block(count: int, inputs: int, outputs: int, stride: int) -> nn.Sequential:
        first = PreActivationBlock(inputs, outputs, stride)
        return nn.Sequential(
            first, *(PreActivationBlock(outputs, outputs, 1) for _ in range(count - 1))
        )

    def _activate(self, x: Tensor) -> Tensor:
        return F.relu(self.bn1(x))

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Stem, the blocks of three levels, BN-ReLU and pooling."""
        levels = [self.block1, self.block2, self.block3]
        named = zip(self.blocks, (block for level in levels for block in level), strict=True)
        return [("stem", self.conv1), *named, ("active", self._activate), ("pool", pool)]


def build(classes: int, depth: Depth = 28, widen: Count = 10) -> Classifier:
    """The network for `classes` classes."""
    return WideResNet(classes, depth, widen)
