"""Laying together the config: files over files, entries over those that they extend."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.planning.gathering import gather, tell
from penumbra.planning.yaml_files import load_yaml
from penumbra.plugins import names

LONGEST = 64  # entries that extend each other
ANY = object()
COMMAND_LINE = "command line (--config)"


class Files:
    """The YAML files that a config was laid together from, in order, and what each says.

    Raises:
        PenumbraError: all that is wrong with any of the files as YAML, or what one of them lays
            over the others in vain.
    """

    def __init__(self, paths: Iterable[Path]):
        self._documents: list[tuple[Path, dict[str, Any]]] = []
        gather(partial(self._load, path) for path in paths)
        tell(self._in_vain())

    def _load(self, path: Path) -> None:
        self._documents.append((path, load_yaml(path)))

    def _in_vain(self) -> Iterator[str]:
        """Empty mappings laid over what is not empty: they change nothing."""
        below: dict[str, Any] = {}
        for path, data in self._documents:
            for keys in _empty(data, below, []):
                yield (
                    f"{path}: {'.'.join(keys)}: {{}} changes nothing of what it is laid over; "
                    "leave the key out, or say what is to change"
                )
            below = merge(below, data)

    @property
    def paths(self) -> list[Path]:
        """The files, in order."""
        return [path for path, _ in self._documents]

    def beside(self, path: Path, under: str) -> "Files":
        """A file, and over it what these files have below the key `under`."""
        made = Files([path])
        made._documents += [(file, data[under]) for file, data in self._documents if under in data]
        return made

    def laid(self) -> dict[str, Any]:
        """What the files say, each laid on those before it."""
        laid: dict[str, Any] = {}
        for _, data in self._documents:
            laid = merge(laid, data)
        return laid

    def where(self, *keys: str) -> str:
        """A key with the file that holds it, as errors begin."""
        return f"{self.holder(keys)}: {'.'.join(keys)}"

    def holder(self, keys: Sequence[object], value: Any = ANY) -> str:
        """The last file that holds the key path, with `value` where one is given.

        What --config gives stands in no file.
        """
        for path, data in reversed(self._documents):
            node: Any = data
            for key in map(str, keys):
                if isinstance(node, Mapping) and key in node:
                    node = node[key]
                elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                    node = node[int(key)]
                else:
                    break
            else:
                if value is ANY or node == value:
                    return str(path)
        return COMMAND_LINE


def _empty(over: Mapping[str, Any], below: Mapping[str, Any], keys: list[str]) -> Iterator[list]:
    """The keys of empty mappings in `over` that lie on something in `below`."""
    for key in (key for key in over if key in below):
        value, old = over[key], below[key]
        if value == {} and isinstance(value, Mapping) and old not in ({}, None):
            yield [*keys, key]
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            yield from _empty(value, old, [*keys, key])


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, key by key; lists and scalars are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merge(result[key], value) if both else value
    return result


# Sections an entry of which may be null: a world leaves it out, as rows of tables then say.
LEAVABLE = ("backbones", "recipes", "scorers", "parts", "outliers")


def without_nulls(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, set[str]]]:
    """The config without the entries that it leaves out, and their names by section."""
    sections = {kind: config.get(kind) for kind in LEAVABLE}
    named = {kind: each for kind, each in sections.items() if isinstance(each, Mapping)}
    left_out: dict[str, set[str]] = {kind: set() for kind in LEAVABLE}
    for kind, entries in named.items():
        left_out[kind] = {name for name, entry in entries.items() if entry is None}
        named[kind] = {name: entry for name, entry in entries.items() if entry is not None}
    return {**config, **named}, left_out


def from_command_line(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The config with `true` and `false` as what they are; Snakemake's --config gives texts."""
    words = {"true": True, "false": False}
    properties = schema["properties"]
    return {
        key: words.get(value, value)
        if isinstance(value, str) and properties.get(key, {}).get("type") == "boolean"
        else value
        for key, value in config.items()
    }


# Option blocks of training methods; a recipe keeps that of its own method.
METHODS = names("options.methods")


def lineage(kind: str, entries: Mapping[str, Any], name: str) -> list[str]:
    """An entry and those that it extends, the nearest first.

    Raises:
        PenumbraError: one does not exist, it extends itself, or there are too many.
    """
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        if current not in entries:
            raise unknown(kind, current, entries, f"{kind}s" if kind == "recipe" else kind)
        if current in chain:
            circle = chain[chain.index(current) :]
            first = circle.index(min(circle))
            circle = circle[first:] + circle[: first + 1]
            raise PenumbraError(f"{' extends '.join(circle)}; let one of them extend none")
        chain.append(current)
        if len(chain) > LONGEST:
            raise PenumbraError(
                f"more than {LONGEST} entries extend each other in a chain; write out what one of "
                "them says"
            )
        current = entries[current].get("extends")
    return chain


def extended(kind: str, entries: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`entries[name]` laid on the entry that it extends, and so on.

    Raises:
        PenumbraError: it, or one that it extends, does not exist, or it extends itself.
    """
    laid: dict[str, Any] = {}
    for part in reversed(lineage(kind, entries, name)):
        laid = merge(laid, entries[part])
    laid.pop("extends", None)
    return laid


def resolve_recipe(recipes: Mapping[str, Any], name: str, backbone: str) -> dict[str, Any]:
    """A recipe with what it extends and with its settings for one backbone laid in.

    Raises:
        PenumbraError: the recipe, or one that it extends, does not exist, or it extends itself; or
            none of them says the method.
    """
    resolved = extended("recipe", recipes, name)
    special = resolved.pop("backbones", {}).get(backbone, {})
    resolved = merge(resolved, special)
    if "method" not in resolved:
        raise PenumbraError(
            f"recipe {name} says no `method`, nor does what it extends; say one, or "
            "`extends: standard`"
        )
    own = resolved.get(resolved["method"], {})
    for method in METHODS:
        resolved.pop(method, None)
    return {**resolved, "name": name, "options": own}
