"""torchvision's ResNet-50; `cifar` gives it a stem for small images."""

from penumbra.networks.base import Classifier
from penumbra.networks.bottleneck_resnet import BottleneckResNet

COUNTS = (3, 4, 6, 3)


def build(classes: int, width: int = 64, stem: str = "imagenet") -> Classifier:
    """The network for `classes` classes."""
    return BottleneckResNet(classes, COUNTS, width, stem)
