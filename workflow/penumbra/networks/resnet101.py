"""torchvision's ResNet-101; `cifar` gives it a stem for small images."""

from penumbra.networks.base import Classifier
from penumbra.networks.bottleneck_resnet import BottleneckResNet
from penumbra.options.ranges import Count, Stem

COUNTS = (3, 4, 23, 3)


def build(classes: int, width: Count = 64, stem: Stem = "imagenet") -> Classifier:
    """The network for `classes` classes."""
    return BottleneckResNet(classes, COUNTS, width, stem)
