"""Titles of tables: which data and networks were computed, and whose place the data take."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from penumbra.planning.cells import Cell
from penumbra.planning.world import World

# How the title of a table of the papers, or about them, begins.
NUMBER = re.compile(r"\w+, (?:Table \w+|not in the paper)\. ")


def title(world: World, table: Mapping[str, Any], cells: Sequence[Cell]) -> str:
    """A table's title with what its cells are computed on behind its number, or before all.

    As in "uat, Table 3. Digits 0–5 in the place of ImageNet, ResNet-50. OOD detection".
    """
    there = [cell for cell in cells if cell.files]
    is_printed = world.reported(table["name"]) is not None
    data = (_data(world, cell, is_printed) for cell in there)
    networks = (world.backbone(cell.model["backbone"])["label"] for cell in there if cell.model)
    computed = ", ".join(dict.fromkeys([*data, *networks]))
    number = NUMBER.match(table["title"])
    head = number[0] if number else ""
    rest = table["title"].removeprefix(head)
    return f"{head}{computed}. {rest}" if computed else table["title"]


def _data(world: World, cell: Cell, is_printed: bool) -> str:
    """A cell's ID data, and in a table of the papers those that the paper has there."""
    label = world.config["benchmarks"][cell.benchmark]["label"]
    printed = world.stands_for(cell.role)
    if not is_printed or printed in (None, label):
        return label
    return f"{label} in the place of {printed}"
