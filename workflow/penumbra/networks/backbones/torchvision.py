"""A network of torchvision by name, as in `network: torchvision:resnet50`."""

from pathlib import Path
from typing import Any

import torchvision

from penumbra.errors import unknown
from penumbra.networks.base import Classifier
from penumbra.networks.hooked import Hooked
from penumbra.networks.loading.metadata import Preprocessing
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
    check_name(name)
    net = torchvision.models.get_model(name, weights=None, num_classes=classes, **(arguments or {}))
    return Hooked(net, classes, image_size, blocks, last)


def check_name(name: str) -> None:
    """Refuse a network that torchvision has not.

    Raises:
        PenumbraError: with the nearest name.
    """
    models = torchvision.models.list_models(torchvision.models)
    if name not in models:
        raise unknown("network", name, models, "torchvision")


def preprocessing(name: str, weights: Path) -> Preprocessing | None:
    """How images are prepared for torchvision's own weights, known by the name of their file."""
    if name not in torchvision.models.list_models(torchvision.models):
        return None
    for entry in torchvision.models.get_model_weights(name):
        if Path(entry.url).name == weights.name:
            given = entry.transforms()
            (size,) = given.crop_size
            return Preprocessing([*given.mean], [*given.std], size, f"torchvision's {entry}")
    return None
