"""A classifier out of weights that were trained elsewhere, without training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from penumbra.networks.inference import build
from penumbra.networks.loading.given import take_up


def tensors(
    backbone: dict[str, Any], file: Path, classes: Sequence[str], order: Sequence[str] | None
) -> dict[str, Tensor]:
    """What the checkpoint of a given classifier holds: its weights, and a map where it has one.

    `order` are the classes in the order of the file's logits, where that is another.

    Raises:
        PenumbraError: the weights are not of such a network, or of other classes (see `take_up`).
    """
    model = build(backbone, len(classes))
    maps = take_up(model, file, classes, order)
    return {f"model.{name}": tensor for name, tensor in model.state_dict().items()} | maps
