"""A network of timm by name, as in `network: timm:resnet50.a1_in1k`, where timm is installed."""

import json
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.base import Classifier
from penumbra.networks.hooked import Hooked
from penumbra.networks.loading.metadata import Preprocessing
from penumbra.options.ranges import Count

CONFIG = "config.json"  # beside weights, as the Hub serves them


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
    check_name(name)
    net = _timm().create_model(name, pretrained=False, num_classes=classes, **(arguments or {}))
    return Hooked(net, classes, image_size, blocks, last)


def check_name(name: str) -> None:
    """Refuse a network that timm has not.

    Raises:
        PenumbraError: with the nearest name; or timm is not installed.
    """
    timm = _timm()
    if not timm.is_model(name):
        raise unknown("network", name, timm.list_models(), "timm")


def preprocessing(name: str, weights: Path) -> Preprocessing | None:
    """How images are prepared for timm's weights: by config.json beside, or a name with a tag.

    Raises:
        PenumbraError: timm is not installed.
    """
    try:
        file = weights.parent / CONFIG
        entry = json.loads(file.read_text(encoding="utf-8"))["pretrained_cfg"]
        return Preprocessing(entry["mean"], entry["std"], entry["input_size"][-1], str(file))
    except (OSError, ValueError, KeyError, TypeError):
        cfg = _timm().get_pretrained_cfg(name) if "." in name and _timm().is_model(name) else None
    if cfg is None:
        return None
    return Preprocessing([*cfg.mean], [*cfg.std], cfg.input_size[-1], f"timm's {name}", False)


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise PenumbraError("timm is not installed; pip install timm") from error
    return timm
