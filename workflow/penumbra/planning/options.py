"""Every option of the config held against what its taker states: all that is wrong, at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from penumbra.errors import unknown
from penumbra.options.check import Problem, shown
from penumbra.planning.config import COMMAND_LINE, Files
from penumbra.planning.layers import Placed
from penumbra.planning.options_of_data import image_sets
from penumbra.planning.options_of_models import backbones, recipes, scorers
from penumbra.planning.options_of_synthesis import calibrations, filters, outliers, parts
from penumbra.planning.validation import hint_of

SECTIONS = (image_sets, backbones, recipes, scorers, parts, outliers, calibrations, filters)
Sections = Iterable[Callable[[Any], Iterator[Placed]]]


def problems(config: Mapping[str, Any], files: Files, sections: Sections = SECTIONS) -> list[str]:
    """A line for every option that is wrong; `files` are where the config was read from."""
    placed = (entry for section in sections for entry in section(config))
    return list(dict.fromkeys(_line(files, keys, problem) for keys, problem in placed))


def _line(files: Files, keys: tuple[str, ...], problem: Problem) -> str:
    """What to say of one problem: the file that holds its key, the key, and what is wrong."""
    place, file = ".".join(keys), _file(files, keys, problem)
    if problem.kind == "name":
        if not problem.valid:
            return f"{file}: {place}: nothing may be chosen here; drop it"
        valid = (".".join((*keys[:-1], name)) for name in problem.valid)
        return str(unknown("key", place, valid, file))
    if problem.kind == "missing":
        return f"{file}: {'.'.join(keys[:-1])}: {problem.text}"
    if problem.kind == "choice":
        return str(unknown(keys[-1], problem.value, problem.valid, f"{file}: {place}"))
    if problem.kind == "value":
        hint = hint_of(problem.value)
        told = f"{shown(problem.value)} is {problem.text}"
        return f"{file}: {place}: {told}{'. ' + hint if hint else ''}"
    return f"{file}: {place}: {problem.text}"


def _file(files: Files, keys: tuple[str, ...], problem: Problem) -> str:
    """The file with the value, or, where the key stands in none, with what is above it."""
    value = problem.value
    if problem.kind in ("value", "choice") and value == value:  # NaN is not
        return files.holder(keys, value)
    prefixes = (keys[:end] for end in range(len(keys), 0, -1))
    return next((f for f in map(files.holder, prefixes) if f != COMMAND_LINE), COMMAND_LINE)
