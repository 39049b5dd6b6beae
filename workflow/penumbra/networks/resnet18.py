"""ResNet-18 for 32×32 images as in FN (Yu et al. 2023): 3×3 stem without max-pool."""

from typing import Annotated

from torch import nn

from penumbra.networks.base import Classifier
from penumbra.networks.basic_resnet import BasicResNet
from penumbra.options.ranges import Count, at_least

PADDING = 2  # of FN's stem


class ResNet18(BasicResNet):
    """Blocks layer1.0 to layer4.1; `width` channels in the first layer (paper: 64).

    FN's repository pads the stem by 2, so maps measure 34, 17, 9, 5 on 32×32 images.
    """

    def __init__(self, classes: int, width: int, stem_padding: int = PADDING):
        conv1 = nn.Conv2d(3, width, 3, 1, stem_padding, bias=False)
        super().__init__(classes, (2, 2, 2, 2), conv1, nn.Identity())


def build(
    classes: int, width: Count = 64, stem_padding: Annotated[int, at_least(0)] = PADDING
) -> Classifier:
    """The network for `classes` classes."""
    return ResNet18(classes, width, stem_padding)
