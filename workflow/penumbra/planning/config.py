"""Reading and checking the config: every key known, every name answered, before a job starts."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

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


def validate(data: Any, schema: dict[str, Any], files: Iterable[Path]) -> None:
    """Check `data` against a JSON schema; `files` are where it was read from.

    Raises:
        PenumbraError: names the key, the file that holds it, and the nearest valid key or the
            schema's own description.
    """
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(data))
    if error is None:
        return
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        extra = sorted(set(error.instance) - set(error.schema.get("properties", {})))[0]
        full = f"{place}.{extra}" if place else extra
        where = holder(full.split("."), files)
        raise unknown("key", full, (_join(place, k) for k in error.schema["properties"]), where)
    if "propertyNames" in error.absolute_schema_path:
        full = _join(place, str(error.instance))
        raise PenumbraError(
            f"{holder([*error.absolute_path, error.instance], files)}: {full!r} is no name: they "
            "become names of files, so they are of lower-case letters, digits, dots and hyphens; "
            "what tables show is the `label`"
        )
    where = holder(place.split("."), files, error.instance)
    hints = [error.schema.get("description", ""), _number_hint(error.instance)]
    text = " ".join(filter(None, hints))
    raise PenumbraError(f"{where}: {place or 'config'}: {error.message}. {text}".strip())


def _number_hint(value: Any) -> str:
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


def holder(keys: list[str], files: Iterable[Path], value: Any = ANY) -> str:
    """The last of `files` that holds the key path, with `value` where one is given.

    What --config gives stands in no file.
    """
    for path in reversed(list(files)):
        node = load_yaml(path)
        for key in keys:
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                break
        else:
            if value is ANY or node == value:
                return str(path)
    return "command line (--config)"


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`, key by key; lists and scalars are replaced whole."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merge(result[key], value) if both else value
    return result


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
