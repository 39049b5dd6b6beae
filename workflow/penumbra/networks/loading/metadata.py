"""How images are prepared for weights that were trained elsewhere, where the weights say so."""

from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError
from penumbra.plugins import load
from penumbra.store.artifacts import provenance_of

TOLERANCE = 1e-3


class Preprocessing(NamedTuple):
    """Images scaled to 0 to 1 are normalised by `mean` and `std`; `size` is their side in pixels.

    `source` says in words where this is from. It is a default, and no more, where not the file says
    so but only the network's name (`is_of_file` false).
    """

    mean: list[float]
    std: list[float]
    size: int | None
    source: str
    is_of_file: bool = True


def preprocessing(network: str, weights: Path) -> Preprocessing | None:
    """What is known of how images are prepared for a file of weights; None where nothing is.

    `network` is named as in the config. Known are checkpoints of this project, torchvision's files
    under their published names, and timm's with their config.json beside or their tag in the name.

    Raises:
        PenumbraError: no network is called so.
    """
    module, _, name = network.partition(":")
    backbone = load("networks.backbones", module)
    if hasattr(backbone, "preprocessing"):
        return backbone.preprocessing(name, weights)
    return _of_checkpoint(weights)


def check_normalisation(
    known: Preprocessing | None, given: dict[str, list[float]], benchmark: str
) -> None:
    """Refuse a benchmark whose normalisation is not that of the weights.

    Raises:
        PenumbraError: both, and where the weights' own is from.
    """
    if known is None or not known.is_of_file:
        return
    for key, own in (("mean", known.mean), ("std", known.std)):
        if any(abs(a - b) > TOLERANCE for a, b in zip(own, given[key], strict=True)):
            raise PenumbraError(
                f"benchmarks.{benchmark}.normalisation.{key} is {given[key]}, and these weights "
                f"want {own} ({known.source}); write that"
            )


def _of_checkpoint(weights: Path) -> Preprocessing | None:
    """Of a checkpoint of this project: its header."""
    if weights.suffix != ".safetensors":
        return None
    try:
        given = provenance_of(weights)["config"]["normalisation"]
    except (PenumbraError, KeyError):
        return None
    return Preprocessing(given["mean"], given["std"], None, "its own header")
