"""Options of training against the images of a GAN (the joint confidence loss)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.methods.centre import Milestones
from penumbra.options.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The joint confidence loss (Lee et al. 2018); the defaults are those of its code for CIFAR."""

    OWNER = "method gan"

    beta: NotNegative = 0.1
    """Weight of how far predictions on generated images are from uniform, for the classifier and
    for the generator."""
    size: Literal[8, 16, 32, 64] = 32
    """Pixels of generated images, which are enlarged to those of the training images."""
    width: Count = 128
    """Channels at half of that size; twice as many at half of it, and so on down to 4."""
    latent: Count = 100
    """Normal numbers out of which an image is made."""
    lr: Positive = 0.0002
    """Adam's learning rate of generator and discriminator."""
    milestones: Milestones = (0.6,)  # type: ignore[assignment]
    """Shares of all epochs at which it falls to a tenth; in Lee et al.'s code epoch 60 of 100."""
