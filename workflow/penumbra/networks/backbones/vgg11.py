"""VGG-11 for 32×32 images as in FN: convolutions with bias, no BN, three linear layers."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from penumbra.networks.base import Classifier, pool
from penumbra.options.ranges import Count

# Step, channels in units of the width (0: a max-pool alone). FN reads conv4 after its max-pool.
TRUNK = (
    ("conv1", 1), ("pool1", 0), ("conv2", 2), ("pool2", 0), ("conv3", 4), ("conv4", 4),
    ("conv5", 8), ("conv6", 8), ("pool6", 0), ("conv7", 8), ("conv8", 8), ("pool8", 0),
)  # fmt: skip
POOLED = "conv4"


class VGG11(Classifier):
    """Blocks conv1 to conv8 after ReLU; the penultimate feature enters the last linear layer."""

    blocks = tuple(f"conv{i}" for i in range(1, 9))
    positions = {"middle": "conv4", "final": "conv8"}
    levels = ("conv1", "conv2", "conv4", "conv6", "conv8")
    last_weights = ("trunk.conv8.0.weight", "trunk.conv7.0.weight")

    def __init__(self, classes: int, width: int, stem: str):
        super().__init__()
        self.trunk = nn.ModuleDict()
        inputs = 3
        for name, factor in TRUNK:
            if name == "pool1" and stem == "unpooled":
                continue
            if not factor:
                self.trunk[name] = nn.MaxPool2d(2)
                continue
            layers = [nn.Conv2d(inputs, factor * width, 3, padding=1), nn.ReLU()]
            layers += [nn.MaxPool2d(2)] if name == POOLED else []
            self.trunk[name] = nn.Sequential(*layers)
            inputs = factor * width
        self.hidden = nn.Sequential(
            nn.Linear(inputs, inputs), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(inputs, inputs), nn.ReLU(), nn.Dropout(0.5),
        )  # fmt: skip
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan = module.kernel_size[0] ** 2 * module.out_channels
                nn.init.normal_(module.weight, 0, math.sqrt(2 / fan))
                module.bias.data.zero_()  # type: ignore[union-attr]

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Convolutions with their ReLU, max-pools, pooling, the hidden linear layers."""
        return [*self.trunk.items(), ("pool", pool), ("hidden", self.hidden)]


def build(classes: int, width: Count = 64, stem: Literal["fn", "unpooled"] = "fn") -> Classifier:
    """The network for `classes` classes; `unpooled`, for 16×16 images, has no first max-pool."""
    return VGG11(classes, width, stem)
