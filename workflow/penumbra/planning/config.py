"""Reading and checking the config: every key known, every name answered, before a job starts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from penumbra.errors import PenumbraError, unknown


def load_yaml(path: Path) -> Any:
    """One YAML file, safely.

    Raises:
        PenumbraError: the file is not YAML; says where.
    """
    try:
        return yaml.load(
            path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
    except yaml.YAMLError as error:
        raise PenumbraError(f"{path}: not valid YAML: {error}") from error


def validate(
    data: Any, schema: dict[str, Any], files: Iterable[Path], under: str | None = None
) -> None:
    """Check `data` against a JSON schema; `files` are where it was read from.

    Where a file has the key `under`, `data` is what stands below it there.

    Raises:
        PenumbraError: one line for everything that is wrong: the key, the file that holds it, and
            the nearest valid key or the schema's own description.
    """
    errors = jsonschema.Draft202012Validator(schema).iter_errors(data)
    found = sorted((_deepest(e) for e in errors), key=lambda e: [str(k) for k in e.absolute_path])
    problems = [problem for e in found for problem in _problems(e, Files(files, under))]
    if problems:
        raise PenumbraError("\n".join(dict.fromkeys(problems)))


def _deepest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of the alternatives that an error has, the one that data came nearest to."""
    return jsonschema.exceptions.best_match([error])


def _problems(error: jsonschema.ValidationError, files: "Files") -> Iterator[str]:
    """What is to be said of one error of the schema, for each key that it is about."""
    place, schema = ".".join(map(str, error.absolute_path)), cast(dict[str, Any], error.schema)
    if error.validator == "additionalProperties":
        properties = schema.get("properties", {})
        for extra in sorted(set(cast(Mapping, error.instance)) - set(properties)):
            full = _join(place, extra)
            valid = (_join(place, k) for k in properties)
            yield str(unknown("key", full, valid, files.holder(full.split("."))))
    elif "propertyNames" in error.absolute_schema_path:
        where = files.holder([*error.absolute_path, error.instance])
        yield (
            f"{where}: {_join(place, str(error.instance))!r} is no name: they become names of "
            "files, so they are of lower-case letters, digits, dots and hyphens; what tables show "
            "is the `label`"
        )
    else:
        where = files.holder(list(map(str, error.absolute_path)), error.instance)
        hints = [schema.get("description", ""), number_hint(error.instance)]
        text = " ".join(filter(None, hints))
        yield f"{where}: {place or 'config'}: {error.message}. {text}".strip()


def number_hint(value: Any) -> str:
    """Two ways in which a number arrives as text."""
    try:
        float(value if isinstance(value, str) else "")
    except ValueError:
        return ""
    return (
        f"{value!r} came as text: YAML 1.1 wants 5.0e-4 for 5e-4, and nested values of --config "
        "are always text (use --configfile)."
    )


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


ANY = object()
COMMAND_LINE = "command line (--config)"


class Files:
    """The YAML files that a config was laid together from, in order."""

    def __init__(self, paths: Iterable[Path], under: str | None = None):
        self._paths, self._under = list(paths), under

    def holder(self, keys: Sequence[object], value: Any = ANY) -> str:
        """The last file that holds the key path, with `value` where one is given.

        What --config gives stands in no file.
        """
        for path in reversed(self._paths):
            node = load_yaml(path)
            if isinstance(node, Mapping) and self._under in node:
                node = node[self._under]
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


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, key by key; lists and scalars are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merge(result[key], value) if both else value
    return result


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
METHODS = ("uat", "pgd", "energy", "zero_shot")


def extended(kind: str, entries: Mapping[str, Any], name: str) -> dict[str, Any]:
    """`entries[name]` laid on the entry that it extends, and so on.

    Raises:
        PenumbraError: it, or one that it extends, does not exist, or it extends itself.
    """
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        if current not in entries:
            raise unknown(kind, current, entries, f"{kind}s" if kind == "recipe" else kind)
        if current in chain:
            raise PenumbraError(f"{kind}: {' extends '.join([*chain, current])}")
        chain.append(current)
        current = entries[current].get("extends")
    laid: dict[str, Any] = {}
    for part in reversed(chain):
        laid = merge(laid, entries[part])
    laid.pop("extends", None)
    return laid


def resolve_recipe(recipes: Mapping[str, Any], name: str, backbone: str) -> dict[str, Any]:
    """A recipe with what it extends and with its settings for one backbone laid in.

    Raises:
        PenumbraError: the recipe, or one that it extends, does not exist, or it extends itself.
    """
    resolved = extended("recipe", recipes, name)
    special = resolved.pop("backbones", {}).get(backbone, {})
    resolved = merge(resolved, special)
    own = resolved.get(resolved["method"], {})
    for method in METHODS:
        resolved.pop(method, None)
    return {**resolved, "name": name, "options": own}
