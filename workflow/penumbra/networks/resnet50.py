"""torchvision's ResNet-50, its keys unchanged, with named steps."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchvision.models.resnet import Bottleneck, ResNet

from penumbra.networks.base import Classifier

COUNTS = (3, 4, 6, 3)


class ResNet50(ResNet, Classifier):
    """Blocks layer1.0 to layer4.2, after the ReLU that follows each residual sum."""

    blocks = tuple(f"layer{i}.{j}" for i, n in enumerate(COUNTS, 1) for j in range(n))
    positions = {"middle": "layer2.3", "final": "layer4.2"}

    def __init__(self, classes: int, width: int = 64):
        # torchvision scales the inner width of a bottleneck by `width_per_group`.
        ResNet.__init__(self, Bottleneck, list(COUNTS), num_classes=classes, width_per_group=width)

    def _stem(self, x: Tensor) -> Tensor:
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))  # type: ignore[operator]

    def _pool(self, x: Tensor) -> Tensor:
        return torch.flatten(self.avgpool(x), 1)  # type: ignore[operator]

    def steps(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Stem with max-pool, sixteen bottlenecks, pooling."""
        layers: list[Any] = [self.layer1, self.layer2, self.layer3, self.layer4]
        named = zip(self.blocks, (block for layer in layers for block in layer), strict=True)
        return [("stem", self._stem), *named, ("pool", self._pool)]

    def forward(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C)."""
        return Classifier.forward(self, x, perturb)


def build(classes: int, **options: int) -> Classifier:
    """The network for `classes` classes."""
    return ResNet50(classes, **options)
