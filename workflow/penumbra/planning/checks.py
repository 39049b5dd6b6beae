"""Whether the names of a world's synthesis chain make sense together."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.planning.detectors import detector
from penumbra.planning.parts import outlier_set, part
from penumbra.planning.world import World


def check_synthesis(world: World) -> None:
    """Refuse parts, outlier sets and detectors whose names do not fit together.

    Raises:
        PenumbraError: names the first of them.
    """
    for name in world.config["parts"]:
        part(world, name)
    for name in world.config["outliers"]:
        outlier_set(world, name)
    check_detectors(world)


def check_detectors(world: World) -> None:
    """Every name that a detector's recipe uses is known, and its judges saw its own outliers.

    Raises:
        PenumbraError: names the recipe.
    """
    for recipe in world.config["recipes"]:
        found = detector(world, recipe)
        if found is None:
            continue
        where = f"recipes.{recipe}.outliers"
        if "set" not in found:
            raise PenumbraError(f"{where}: method energy trains on an outlier set; name it: set")
        outlier_set(world, found["set"])
        if found.get("filter") is not None:
            _check_filter(world, found, where)
            for judge in found.get("judges", []):
                _check_judge(world, judge, found["set"], where)


def _check_filter(world: World, found: Mapping[str, Any], where: str) -> None:
    filters, calibrations = world.config["filters"], world.config["calibrations"]
    name, calibration = found["filter"], found.get("calibration")
    if name not in filters:
        raise unknown("filter", name, filters, where)
    by_score = filters[name]["mode"] != "random"
    if by_score != bool(found.get("judges")):
        wanted = "judges score the outliers" if by_score else "random asks no judges"
        raise PenumbraError(f"{where}: filter {name}: {wanted}")
    if by_score and calibration not in calibrations:
        raise unknown("calibration", str(calibration), calibrations, where)


def _check_judge(world: World, judge: str, outliers: str, where: str) -> None:
    if judge not in world.config["recipes"]:
        raise unknown("recipe", judge, world.config["recipes"], f"{where}.judges")
    own = detector(world, judge)
    if own is None or own.get("set") != outliers:
        raise PenumbraError(f"{where}.judges: {judge} was not trained on outlier set {outliers}")
    if own.get("filter") is not None:
        raise PenumbraError(f"{where}.judges: {judge} saw filtered outliers only")
