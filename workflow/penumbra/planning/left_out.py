"""Why a world does not compute a row of a table: what it names is not there in this world.

Entries that are null are left out (`config.without_nulls`), roles that are null have no benchmark,
and a backbone with `missing: omit` may lack its files. A name that no entry has is an error, told
by `references`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.loading.clip_files import CONFIG, holds_clip
from penumbra.planning.world import World

KEYS = {"recipe": "recipes", "backbone": "backbones", "scorer": "scorers"}


def why(world: World, row: Mapping[str, Any]) -> str | None:
    """What a row, or what a column changes of rows, names that this world has not; else None."""
    given = row.get("input")
    named = {**row, "map": given["map_of"] if isinstance(given, Mapping) else None}
    for key, section in {**KEYS, "map": "recipes"}.items():
        if named.get(key) in world.left_out[section]:
            return f"this world has no {section.removesuffix('s')} {named[key]}"
    role = row.get("benchmark")
    if role in world.config["roles"] and world.tested(role) is None:
        return f"this world has no benchmark for the role {role}"
    backbone = world.config["backbones"].get(row.get("backbone"), {})
    if backbone.get("missing") == "omit":
        folder = Path(world.config["weights_root"]) / backbone["options"]["folder"]
        if not holds_clip(folder):
            return f"{folder / CONFIG} is not there"
    return None
