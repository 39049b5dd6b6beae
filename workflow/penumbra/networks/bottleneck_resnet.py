"""torchvision's ResNets of bottlenecks, their keys unchanged, with named steps."""

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from penumbra.networks.base import Classifier
from penumbra.networks.residual import ResidualNetwork, make_stem


class BottleneckResNet(ResNet, ResidualNetwork):
    """`counts` bottlenecks in four layers; `width` scales their inner width (papers: 64)."""

    def __init__(self, classes: int, counts: Sequence[int], width: int, stem: str):
        ResNet.__init__(self, Bottleneck, list(counts), num_classes=classes, width_per_group=width)
        self.name_blocks(counts)
        if stem != "imagenet":
            self.conv1, self.maxpool = make_stem(stem, self.conv1.out_channels)
            nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor, perturb: tuple[str, Tensor] | None = None) -> Tensor:
        """Logits (N, C)."""
        return Classifier.forward(self, x, perturb)
