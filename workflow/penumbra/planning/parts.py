"""Generative parts and outlier sets: what their names mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.planning.config import extended
from penumbra.planning.paths import path
from penumbra.planning.world import World

# What each kind of part is made of, besides images.
USES = {
    "encoder": (),
    "rdm": ("encoder",),
    "tokenizer": (),
    "mage": ("encoder", "tokenizer"),
    "dit": ("encoder",),
    "ldm": ("encoder",),
}
GENERATORS = ("mage", "dit", "ldm")


def part(world: World, name: str) -> dict[str, Any]:
    """A part's config with what it extends.

    Raises:
        PenumbraError: no such part, or one that is neither trained nor loaded.
    """
    entry = extended("part", world.config["parts"], name)
    if (entry.get("weights") is None) == (entry.get("training") is None):
        raise PenumbraError(
            f"parts.{name}: say `weights` (a file under weights_root) or `training`, one of them; "
            "null takes back what a part that it extends says"
        )
    for role in USES[entry["kind"]]:
        if role not in entry:
            raise PenumbraError(f"parts.{name}: a {entry['kind']} names its {role}")
        if world.config["parts"].get(entry[role], {}).get("kind", role) != role:
            raise PenumbraError(f"parts.{name}.{role}: {entry[role]} is no {role}")
    return entry


def weights_file(world: World, entry: Mapping[str, Any]) -> Path:
    """Where a published file, of a part or a scorer, is expected."""
    return Path(world.config["weights_root"]) / entry["weights"]


def outlier_set(world: World, name: str) -> dict[str, Any]:
    """An outlier set's config with what it extends.

    Raises:
        PenumbraError: its RDM and its generator speak of different encoders.
    """
    entry = extended("outliers", world.config["outliers"], name)
    rdm, generator = (part(world, entry[role]) for role in ("rdm", "generator"))
    if generator["kind"] not in GENERATORS:
        raise PenumbraError(f"outliers.{name}.generator: {entry['generator']} makes no images")
    if rdm["encoder"] != generator["encoder"]:
        raise PenumbraError(
            f"outliers.{name}: {entry['rdm']} makes representations of {rdm['encoder']}, and "
            f"{entry['generator']} reads those of {generator['encoder']}; both are vectors of one "
            "length from unrelated spaces, so name parts of one encoder"
        )
    return entry


def representations(world: World, encoder: str, image_set: str) -> str:
    """The representations of an image set by an encoder."""
    return path(world.name, "representations", part=encoder, image_set=image_set)


def anchors(world: World, benchmark: str, name: str) -> str:
    """The representations that an outlier set is sampled around: of the training images."""
    encoder = part(world, outlier_set(world, name)["rdm"])["encoder"]
    return representations(world, encoder, world.config["benchmarks"][benchmark]["train"])
