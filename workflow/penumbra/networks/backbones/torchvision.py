"""A network of torchvision by name, as in `network: torchvision:resnet50`."""

from typing import Any

import torchvision

from penumbra.errors import unknown
from penumbra.networks.base import Classifier
from penumbra.networks.hooked import Hooked
from penumbra.options.ranges import Count


def build(
    classes: int,
    name: str,
    image_size: Count = 224,
    blocks: list[str] | None = None,
    last: str | None = None,
    arguments: dict[str, Any] | None = None,
) -> Classifier:
    """torchvision's network `name`, randomly initialised, with further `arguments` of its builder.

    It is looked at once with images of side `image_size`; `blocks` and `last` name modules by path
    where those found are not meant (see `Hooked`).

    Raises:
        PenumbraError: torchvision has no such network, or it is no classifier of images.
    """
    models = torchvision.models.list_models(torchvision.models)
    if name not in models:
        raise unknown("network", name, models, "torchvision")
    net = torchvision.models.get_model(name, weights=None, num_classes=classes, **(arguments or {}))
    return Hooked(net, classes, image_size, blocks, last)
