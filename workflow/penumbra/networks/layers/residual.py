"""What all ResNets (He et al. 2016) share: names of blocks, order of places, and stems."""

from collections.abc import Callable, Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.errors import unknown
from penumbra.networks.base import Classifier, pool


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
