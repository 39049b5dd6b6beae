"""ResNet-34 (He et al. 2016), the detector of Bad-OOD.

Dream-OOD, whose hyper-parameters Bad-OOD takes over, keeps the `cifar` stem even at 224 pixels, for
sixteen times the arithmetic.
"""

from penumbra.networks.base import Classifier
from penumbra.networks.basic_resnet import BasicResNet
from penumbra.networks.residual import make_stem
from penumbra.options.ranges import Count, Stem


class ResNet34(BasicResNet):
    """Blocks layer1.0 to layer4.2; `width` channels in the first layer (paper: 64)."""

    def __init__(self, classes: int, width: int, stem: str):
        super().__init__(classes, (3, 4, 6, 3), *make_stem(stem, width))


def build(classes: int, width: Count = 64, stem: Stem = "imagenet") -> Classifier:
    """The network for `classes` classes."""
    return ResNet34(classes, width, stem)
