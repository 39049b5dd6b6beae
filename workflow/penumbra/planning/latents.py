"""How large the latents are that a generator is trained on here."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from penumbra.options.parts import autoencoder
from penumbra.planning.parts import part
from penumbra.planning.world import World


def option(entry: Mapping[str, Any], kind: ModuleType, key: str) -> Any:
    """An option of a part, or what its kind has by default."""
    return entry.get("options", {}).get(key, getattr(kind.Options, key))


def factor_of(entry: Mapping[str, Any], kind: ModuleType) -> int:
    """By how much the levels of a part's network divide the side of what it is given."""
    return 2 ** (len(option(entry, kind, "multipliers")) - 1)


def latent_side(world: World, entry: Mapping[str, Any]) -> int | None:
    """Of the latents that a generator is trained on here; None where that is not known."""
    if entry.get("training") is None or not {"autoencoder", "images"} <= entry.keys():
        return None
    factor = factor_of(part(world, entry["autoencoder"]), autoencoder)
    return world.size(entry["images"]) // factor


def decoding(world: World, entry: Mapping[str, Any], generator: Mapping[str, Any]) -> dict:
    """How an outlier set is decoded; an LDM makes latents of the side it was trained on."""
    side = latent_side(world, generator) if generator["kind"] == "ldm" else None
    return ({} if side is None else {"side": side}) | entry["decoding"]
