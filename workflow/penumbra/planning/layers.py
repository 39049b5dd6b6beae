"""Entries of the config that are laid over each other, and which of them says a key."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.options.check import Problem
from penumbra.planning.config import lineage, merge

Placed = tuple[tuple[str, ...], Problem]  # the keys of the config that a problem is about
Layer = tuple[tuple[str, ...], Mapping[str, Any]]  # where an entry stands, and the entry


def entries(config: Any, section: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a section that are mappings; the schema refuses others."""
    every = mapping(config, section)
    return {str(name): entry for name, entry in every.items() if isinstance(entry, Mapping)}


def mapping(entry: Any, key: str) -> Mapping[str, Any]:
    """What an entry says below a key, if that is a mapping; else nothing."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def laid(kind: str, section: str, every: Mapping[str, Any], name: str) -> list[Layer] | None:
    """An entry and those that it extends, itself first; None where that leads nowhere."""
    try:
        return [((section, each), every[each]) for each in lineage(kind, every, name)]
    except (PenumbraError, AttributeError, TypeError):
        return None


def together(layers: Iterable[Layer]) -> dict[str, Any]:
    """All that the layers say, the first above the others."""
    merged: dict[str, Any] = {}
    for _, entry in reversed([*layers]):
        merged = merge(merged, entry)
    return merged


def placed(layers: list[Layer], problems: Iterable[Problem], *under: str) -> Iterator[Placed]:
    """Problems with the keys of the layer that says what they are about, or else of the last."""
    for problem in problems:
        keys = (*under, *problem.keys)
        about = keys[:-1] if problem.kind == "missing" else keys
        stands = (place for place, entry in layers if about and _says(entry, about))
        stand = next(stands, layers[-1][0])
        yield (*stand, *keys), problem


def _says(entry: Any, keys: Iterable[str]) -> bool:
    for key in keys:
        if isinstance(entry, list | tuple) and key.isdigit() and int(key) < len(entry):
            entry = entry[int(key)]
        elif isinstance(entry, Mapping) and key in entry:
            entry = entry[key]
        else:
            return False
    return True
