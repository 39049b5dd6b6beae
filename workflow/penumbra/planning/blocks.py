"""Feature blocks of the networks that ship, told without building one, so that a plan can be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from penumbra.errors import PenumbraError, unknown

LAYERS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
CONVOLUTIONS = tuple(f"conv{i}" for i in range(1, 9))


class Blocks(NamedTuple):
    """The blocks of a network, in order, and which of them a map's position names."""

    names: tuple[str, ...]
    middle: str
    final: str


def blocks(network: str, options: Mapping[str, Any]) -> Blocks | None:
    """None for networks that only their building tells: of timm, of torchvision, of one's own."""
    if network == "vgg11":
        return Blocks(CONVOLUTIONS, "conv4", "conv8")
    if network == "wrn":
        each = (options.get("depth", 28) - 4) // 6
        return _levels("block", (each, each, each))
    if network == "resnet":
        return _levels("layer", LAYERS[options["layers"]])
    if network == "resnetv2":
        return _levels("block", LAYERS[options["layers"]])
    return None


def _levels(prefix: str, counts: tuple[int, ...]) -> Blocks:
    names = tuple(f"{prefix}{i}.{j}" for i, count in enumerate(counts, 1) for j in range(count))
    return Blocks(names, f"{prefix}2.{counts[1] - 1}", names[-1])


def check_block(asked: str, backbone: str, known: Blocks, position: str | None) -> None:
    """Refuse a scorer's block that is not there, or that a map which is added behind it leaves.

    `position` is that of the map (input, middle, final); None where none is added.

    Raises:
        PenumbraError: names the block and those that would do.
    """
    if asked in ("selected", "last"):
        return
    if asked not in known.names:
        raise unknown("feature block", asked, (*known.names, "last", "selected"), backbone)
    added = {"middle": known.middle, "final": known.final}.get(position or "")
    if added and known.names.index(added) > known.names.index(asked):
        raise PenumbraError(
            f"block {asked}: the map is added behind it, at {added}, and would change nothing of "
            f"it; name {added} or a later one as the scorer's `block`"
        )
