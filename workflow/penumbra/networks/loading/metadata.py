"""How images are prepared for weights that were trained elsewhere, where the weights say so."""

import json
from pathlib import Path
from typing import NamedTuple

from penumbra.errors import PenumbraError

CONFIG = "config.json"  # beside timm's files, as the Hub serves them
TOLERANCE = 1e-3


class Preprocessing(NamedTuple):
    """Images scaled to 0 to 1 are normalised by `mean` and `std`; `size` is their side in pixels.

    `source` says in words where this is from.
    """

    mean: list[float]
    std: list[float]
    size: int | None
    source: str


def preprocessing(network: str, weights: Path) -> Preprocessing | None:
    """What is known of how images are prepared for a file of weights; None where nothing is.

    `network` is named as in the config. Known are checkpoints of this project, torchvision's files
    under their published names, and timm's with their config.json beside or their tag in the name.
    """
    library, _, name = network.partition(":")
    if library == "torchvision":
        return _of_torchvision(name, weights)
    if library == "timm":
        return _of_timm(name, weights)
    return _of_checkpoint(weights)


def check_normalisation(
    known: Preprocessing | None, given: dict[str, list[float]], benchmark: str
) -> None:
    """Refuse a benchmark whose normalisation is not that of the weights.

    Raises:
        PenumbraError: both, and where the weights' own is from.
    """
    if known is None:
        return
    for key, own in (("mean", known.mean), ("std", known.std)):
        if any(abs(a - b) > TOLERANCE for a, b in zip(own, given[key], strict=True)):
            raise PenumbraError(
                f"benchmarks.{benchmark}.normalisation.{key} is {given[key]}, and these weights "
                f"want {own} ({known.source}); write that"
            )


def _of_torchvision(name: str, weights: Path) -> Preprocessing | None:
    import torchvision

    if name not in torchvision.models.list_models(torchvision.models):
        return None
    for entry in torchvision.models.get_model_weights(name):
        if Path(entry.url).name == weights.name:
            prepared = entry.transforms()
            (size,) = prepared.crop_size
            return Preprocessing(
                list(prepared.mean), list(prepared.std), size, f"torchvision's {entry}"
            )
    return None


def _of_timm(name: str, weights: Path) -> Preprocessing | None:
    file = weights.parent / CONFIG
    try:
        entry = json.loads(file.read_text(encoding="utf-8"))
        cfg, source = entry["pretrained_cfg"], str(file)
        return Preprocessing(cfg["mean"], cfg["std"], cfg["input_size"][-1], source)
    except (OSError, ValueError, KeyError, TypeError):
        return _of_tag(name)


def _of_tag(name: str) -> Preprocessing | None:
    """What timm itself knows of a name with a tag, as resnet50.a1_in1k."""
    try:
        import timm
    except ImportError:
        return None
    if "." not in name or not timm.is_model(name):
        return None
    cfg = timm.get_pretrained_cfg(name)
    if cfg is None:
        return None
    return Preprocessing(list(cfg.mean), list(cfg.std), cfg.input_size[-1], f"timm's {name}")


def _of_checkpoint(weights: Path) -> Preprocessing | None:
    """Of a checkpoint of this project: its header."""
    from penumbra.store.artifacts import provenance_of

    if weights.suffix != ".safetensors":
        return None
    try:
        given = provenance_of(weights)["config"]["normalisation"]
    except (PenumbraError, KeyError):
        return None
    return Preprocessing(given["mean"], given["std"], None, "its own header")
