"""Scorers as a user asks for them, made the entries of a config and checked."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from penumbra.errors import PenumbraError, unknown
from penumbra.options.check import Statement, parameters, refuse
from penumbra.options.offered import offered
from penumbra.options.ranges import Count
from penumbra.planning import needs

ENTRY = ("module", "options", "fit")
CHOICE = {  # which images a scorer is fitted on
    "role": Statement(Literal[needs.ROLES], None),
    "images": Statement(Count | None, None),
}
Entries = dict[str, dict[str, Any]]


def entries_of(asked: Iterable[str] | Mapping[str, Mapping[str, Any]] | None) -> Entries:
    """Entries by name; all scorers for None, numbers of NumPy as Python has them.

    Raises:
        PenumbraError: no names and no entries; a scorer that is unknown, or with options that it
            does not take.
    """
    modules = offered("scorer module")
    if not isinstance(asked, Mapping):
        asked = {name: {} for name in (modules if asked is None else _names(asked))}
    for name, entry in asked.items():
        if not isinstance(entry, Mapping):
            raise PenumbraError(
                f"scorer {name}: {entry!r} is no mapping; write {{}}, or module, options and fit"
            )
    entries = {name: {"module": name, **_plain(entry)} for name, entry in asked.items()}
    for name, entry in entries.items():
        _check(name, entry, modules)
    return entries


def _names(asked: object) -> list[str]:
    listed = [asked] if isinstance(asked, str) else asked
    if not isinstance(listed, Iterable):
        raise PenumbraError(f"scorers: {asked!r}; give a list of names, or a mapping of entries")
    names = list(listed)
    for name in names:
        if not isinstance(name, str):
            raise PenumbraError(f"scorers: {name!r} is no name; give texts, as 'knn'")
    return names


def _plain(value: Any) -> Any:
    """The same with Python's own numbers in place of NumPy's."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.item() if isinstance(value, np.generic) else value


def _check(name: str, entry: Mapping[str, Any], modules: Iterable[str]) -> None:
    for key in entry:
        if key not in ENTRY:
            raise unknown("key", key, ENTRY, f"scorer {name}")
    if entry["module"] not in modules:
        raise unknown("scorer", entry["module"], modules, "scorers")
    score, fit = needs.functions(entry["module"])
    refuse(f"scorer {name}, options", score.problems(entry.get("options", {})))
    if "fit" in entry:
        if fit is None:
            raise PenumbraError(f"scorer {name}: it is fitted on nothing; leave `fit` out")
        refuse(f"scorer {name}, fit", fit.problems(entry["fit"]))
        chosen = {key: value for key, value in entry["fit"].items() if key in CHOICE}
        refuse(f"scorer {name}, fit", parameters(CHOICE, chosen))
