"""Generative parts and outlier sets: what their names mean."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.networks.loading.diffusers_files import lacking, stable_diffusion_files
from penumbra.planning.config import extended
from penumbra.planning.paths import path
from penumbra.planning.world import World
from penumbra.plugins import load

# What each kind of part is made of, besides images.
USES = {
    "encoder": (),
    "rdm": ("encoder",),
    "tokenizer": (),
    "mage": ("encoder", "tokenizer"),
    "autoencoder": (),
    "dit": ("encoder", "autoencoder"),
    "ldm": ("encoder",),
    "ddpm": (),
    "stable_diffusion": (),
    "text_latent": ("stable_diffusion",),
}
# What else it is made of where it is trained here; the LDM's published file holds its first stage.
TRAINED_WITH = {"ldm": ("autoencoder",)}
# Kinds that are trained as classifiers are, on what their classes are called.
OF_CLASSES = ("text_latent",)
# The latents that a generator's first stage has.
LATENTS = {"dit": "kl", "ldm": "vq"}


def part(world: World, name: str) -> dict[str, Any]:
    """A part's config with what it extends.

    Raises:
        PenumbraError: no such part, or what it extends is none, or it itself.
    """
    return extended("part", world.config["parts"], name)


def roles(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The parts that one is made of, by the keys that name them."""
    trained = entry.get("training") is not None
    return USES[entry["kind"]] + (TRAINED_WITH.get(entry["kind"], ()) if trained else ())


def weights_file(world: World, entry: Mapping[str, Any]) -> Path:
    """Where a published file, of a part or a scorer, is expected."""
    return Path(world.config["weights_root"]) / entry["weights"]


def weights_files(world: World, entry: Mapping[str, Any]) -> list[Path]:
    """The published files of a part: one, or those of a folder that holds a pipeline."""
    place = weights_file(world, entry)
    return stable_diffusion_files(place) if entry["kind"] == "stable_diffusion" else [place]


def lacking_weights(world: World, entry: Mapping[str, Any]) -> list[Path]:
    """Those of them that are not there; none of a part that is trained here."""
    if entry.get("weights") is None:
        return []
    place = weights_file(world, entry)
    if entry["kind"] == "stable_diffusion":
        return list(lacking(place))
    return [] if place.is_file() else [place]


def used(world: World, names: Iterable[str]) -> list[str]:
    """Parts by name, with all that they are made of."""
    every: dict[str, None] = {}
    queue = [*names]
    while queue:
        name = queue.pop()
        if name not in every:
            every[name] = None
            entry = part(world, name)
            queue += [entry[role] for role in roles(entry)]
    return [*every]


def outlier_set(world: World, name: str) -> dict[str, Any]:
    """An outlier set's config with what it extends.

    Raises:
        PenumbraError: no such set, or what it extends is none, or it itself.
    """
    return extended("outliers", world.config["outliers"], name)


def options_of(kind: str) -> ModuleType:
    """What is stated of a kind of outlier set: PARTS, SAMPLER and Options."""
    return load("options.kinds", kind)


def parts_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """The parts that an outlier set names, by role."""
    return {role: entry[role] for role in options_of(entry["kind"]).PARTS}


def sampler(entry: Mapping[str, Any]) -> str | None:
    """The part that samples an outlier set's embeddings; None for a kind that has none."""
    role = options_of(entry["kind"]).SAMPLER
    return None if role is None else entry[role]


def representations(world: World, encoder: str, image_set: str) -> str:
    """The representations of an image set by an encoder."""
    return path(world.name, "representations", part=encoder, image_set=image_set)


def anchors(world: World, benchmark: str, name: str) -> str | None:
    """The representations that an outlier set is sampled around: of the training images.

    None for a kind that samples no embeddings.
    """
    chosen = sampler(outlier_set(world, name))
    if chosen is None:
        return None
    encoder = part(world, chosen).get("encoder", chosen)
    return representations(world, encoder, world.config["benchmarks"][benchmark]["train"])


def sampled_around(world: World, benchmark: str, name: str) -> str:
    """The same, of a set whose embeddings are read.

    Raises:
        PenumbraError: its kind has none.
    """
    around = anchors(world, benchmark, name)
    if around is None:
        kind = outlier_set(world, name)["kind"]
        raise PenumbraError(
            f"{world.where('outliers', name)}: outliers of kind {kind} have no embeddings; name a "
            "set that samples them"
        )
    return around
