"""Options of Dream-OOD's text-conditioned latent space, and of its training."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from penumbra.options import check, recipe
from penumbra.options.ranges import Count, Positive

Colours = tuple[float, float, float]
Deviations = tuple[Positive, Positive, Positive]


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The network; published: the defaults with the stem `cifar`, at 224 pixels, too."""

    OWNER = "text_latent"

    layers: Literal[18, 34, 50, 101] = 34
    """Layers of the ResNet."""
    width: Count = 64
    """Channels of its first layer."""
    stem: Literal["imagenet", "cifar", "fn"] = "cifar"
    """Its stem."""
    temperature: Positive = 0.1
    """Divides cosines with the words."""
    mean: Colours = (0.485, 0.456, 0.406)
    """Mean of the images by colour, in [0, 1]; they are normalised by it."""
    std: Deviations = (0.229, 0.224, 0.225)
    """Their deviation."""


@dataclass(frozen=True, kw_only=True)
class Training(recipe.Recipe):
    """As a classifier is trained; published for ImageNet-100: 100 epochs of 160, lr 0.1."""

    OWNER = "training of a text_latent"

    def together(self) -> Iterator[tuple[str, str]]:
        """It has a last layer of its own."""
        yield from super().together()
        if self.head is not None:
            yield "head", "its last layer compares embeddings with words; leave `head` out"
