"""torchvision's ResNets of bottlenecks, their keys unchanged, with named places.

A module of its own, as the import of torchvision takes a second, which other networks do without.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from penumbra.networks.base import Classifier
from penumbra.networks.layers.residual import ResidualNetwork, make_stem

WIDTH = 64  # of the published networks


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
