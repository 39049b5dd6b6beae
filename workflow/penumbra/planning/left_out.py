"""Why a world does not compute a row of a table, or part of a figure: what it names is not there.

Entries that are null are left out (`config.without_nulls`), roles that are null have no benchmark,
and backbones and parts with `missing: omit` may lack their files. A name that no entry has is an
error, told by `references`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.loading.clip_files import CONFIG, holds_clip
from penumbra.planning.outlier_training import detector
from penumbra.planning.parts import lacking_weights, outlier_set, part, parts_of, used
from penumbra.planning.world import World

SECTIONS = {
    "recipe": ("recipes", "recipe"),
    "backbone": ("backbones", "backbone"),
    "scorer": ("scorers", "scorer"),
    "outliers": ("outliers", "outlier set"),
    "map": ("recipes", "recipe"),
}


def why(world: World, row: Mapping[str, Any]) -> str | None:
    """What a row, or what a column changes of rows, names that this world has not; else None.

    An input of a figure names things in the same way.
    """
    given = row.get("input")
    named = {**row, "map": given["map_of"] if isinstance(given, Mapping) else None}
    for key, (section, kind) in SECTIONS.items():
        if named.get(key) in world.left_out[section]:
            return f"this world has no {kind} {named[key]}"
    role = row.get("benchmark")
    if role in world.config["roles"] and world.tested(role) is None:
        return f"this world has no benchmark for the role {role}"
    backbone = world.config["backbones"].get(row.get("backbone"), {})
    if backbone.get("missing") == "omit":
        folder = Path(world.config["weights_root"]) / backbone["options"]["folder"]
        if not holds_clip(folder):
            return f"{folder / CONFIG} is not there"
    return _weights(world, row)


def _weights(world: World, row: Mapping[str, Any]) -> str | None:
    """A file that a part of the row's outliers lacks, where it may lack it."""
    name = row.get("outliers")
    if row.get("recipe") in world.config["recipes"]:
        name = (detector(world, row["recipe"]) or {}).get("set")
    if name is None or name not in world.config["outliers"]:
        return None
    for each in used(world, parts_of(outlier_set(world, name)).values()):
        entry = part(world, each)
        if entry.get("missing") == "omit":
            for file in lacking_weights(world, entry):
                return f"{file} is not there"
    return None


def inputs(world: World, figure: str) -> dict[str, dict[str, Any]]:
    """What a figure is drawn from, by role; `missing` says of an input why it is not there."""
    every = world.table(figure)["inputs"]
    reasons = {role: entry.get("missing") or why(world, entry) for role, entry in every.items()}
    return {
        role: {**entry, "missing": reasons[role]} if reasons[role] else entry
        for role, entry in every.items()
    }


def figure_entries(world: World, figure: str) -> list[dict[str, Any]]:
    """Those of its inputs that are there."""
    return [entry for entry in inputs(world, figure).values() if "missing" not in entry]
