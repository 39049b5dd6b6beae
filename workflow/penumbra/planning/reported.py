"""Which printed number stands beside a cell: only one that is about the same data."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.planning.world import World
from penumbra.reporting.tables.printed import read_reported

AVERAGE = "average"
AVERAGES = "averages.csv"  # of which image sets the papers print averages
CONTRADICTIONS = "contradictions.csv"  # where the papers contradict themselves
printed = functools.cache(read_reported)  # plans read the same file for many tables
CELL = ("id_dataset", "backbone", "method", "variant", "ood_dataset", "metric")


def printed_cell(
    world: World,
    table: Mapping[str, Any],
    row: Mapping[str, Any],
    column: Mapping[str, Any],
    benchmark: str,
    sets: list[str],
) -> dict[str, str] | None:
    """The columns of config/reported that name the printed cell, if the paper has one.

    A number stands beside one on the paper's own ID data and image sets, and beside no other.
    `benchmark` is empty where this world has none.
    """
    own = world.config["benchmarks"].get(benchmark, {}).get("reported")
    if own is None or "reported" not in row:
        return None
    wanted = {"table": table.get("reported_in", table["name"]), "id_dataset": own}
    wanted |= {**row["reported"], **column.get("reported", {})}
    if wanted["id_dataset"] != own:
        return None
    names = [world.image_set(name).get("reported") for name in sets]
    if column.get("sets") == "each":
        return None if names[0] is None else wanted | {"ood_dataset": names[0]}
    if "group" in column:
        wanted.setdefault("ood_dataset", AVERAGE)
        key = (wanted["table"], own, wanted["ood_dataset"])
        if averages(world.folder / "reported").get(key) != frozenset(names):
            return None
    return wanted


@functools.cache
def averages(folder: Path) -> dict[tuple[str, str, str], frozenset[str]]:
    """By table, ID data and name of a printed average: the image sets that it is over."""
    rows = printed(folder / AVERAGES)
    return {
        (row["table"], row["id_dataset"], row["ood_dataset"]): frozenset(
            row["image_sets"].split("; ")
        )
        for row in rows
    }


def contradictions(folder: Path, table: str) -> list[dict[str, Any]]:
    """What is wrong with printed numbers of a table: columns that name them (`of`), a `note`."""
    rows = (row for row in printed(folder / CONTRADICTIONS) if row["table"] == table)
    return [{"of": {k: row[k] for k in CELL if row[k]}, "note": row["note"]} for row in rows]
