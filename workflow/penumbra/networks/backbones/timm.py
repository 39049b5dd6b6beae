"""A network of timm by name, as in `network: timm:resnet50.a1_in1k`, where timm is installed."""

from typing import Any

from penumbra.errors import PenumbraError, unknown
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
    """timm's network `name`, randomly initialised, with further `arguments` of its builder.

    It is looked at once with images of side `image_size`; `blocks` and `last` name modules by path
    where those found are not meant (see `Hooked`).

    Raises:
        PenumbraError: timm is not installed, or has no such network.
    """
    try:
        import timm
    except ImportError as error:
        raise PenumbraError("timm is not installed; pip install timm") from error
    if not timm.is_model(name):
        raise unknown("network", name, timm.list_models(), "timm")
    net = timm.create_model(name, pretrained=False, num_classes=classes, **(arguments or {}))
    return Hooked(net, classes, image_size, blocks, last)
