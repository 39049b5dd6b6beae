"""Every value of the config is of its type and in its range, every key known."""

import itertools
import math
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema

from penumbra.errors import unknown
from penumbra.planning.config import Files
from penumbra.planning.gathering import TOLD, tell
from penumbra.planning.yaml_nodes import DEPTH, LARGEST

MOST = 200_000  # values that a config may hold
CHANGES = (
    "Say what is required; or where these lines change entries of another file, name that file "
    "before this one: the first lines of a world that ships say which."
)


def is_whole(checker: Any, value: Any) -> bool:
    """Whether a value is a whole number as it is written: 5.0 is none."""
    return isinstance(value, int) and not isinstance(value, bool)


VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_whole),
)


def validate(data: Any, schema: dict[str, Any], files: Files) -> None:
    """Check `data` against a JSON schema; `files` are where it was read from.

    Raises:
        PenumbraError: one line for everything that is wrong: the key, the file that holds it, and
            the nearest valid key or the schema's own description; and one more where keys lack.
    """
    errors = (_deepest(e) for e in VALIDATOR(schema).iter_errors(data))
    ordered = sorted(errors, key=lambda e: [str(k) for k in e.absolute_path])
    problems = [problem for e in ordered[: 2 * TOLD] for problem in _problems(e, files)]
    lacks = any(e.validator == "required" for e in ordered)
    tell([*problems, CHANGES] if lacks else problems)


def check_plain(data: Any, files: Files) -> None:
    """Refuse what is no plain value, wherever it came from: a file, or the command line.

    Raises:
        PenumbraError: all names that are no texts, numbers that are not finite or too large,
            texts with NUL, dates, and values that hold themselves or without end.
    """
    tell(f"{files.holder(keys)}: {'.'.join(keys)}: {what}" for keys, what in _unplain(data))


def _unplain(data: Any) -> Iterator[tuple[list[str], str]]:
    """Keys and words for all that is not plain, as far as DEPTH levels and MOST values."""
    queue: list[tuple[list[str], Any]] = [([], data)]
    for count in itertools.count():
        if not queue or count > MOST:
            break
        keys, value = queue.pop()
        if len(keys) > DEPTH:
            yield (
                keys[:3],
                f"it is more than {DEPTH} levels deep, or holds itself; write it flatter",
            )
            return
        if isinstance(value, Mapping):
            for name in (name for name in value if not isinstance(name, str)):
                yield [*keys, str(name)], f"the name {name!r} is no text; quote it"
            queue += (([*keys, str(key)], below) for key, below in value.items())
        elif isinstance(value, list):
            queue += (([*keys, str(place)], below) for place, below in enumerate(value))
        elif isinstance(value, float) and not math.isfinite(value):
            yield keys, f"{value} is no finite number; write one, or leave the key out"
        elif is_whole(None, value) and abs(value) > LARGEST:
            yield keys, "the number is too large; write one below 2^63"
        elif isinstance(value, str) and "\0" in value:
            yield keys, "the text holds a NUL character; take it out"
        elif value is not None and not isinstance(value, bool | int | float | str):
            yield keys, f"{value} is read as a {type(value).__name__}; quote it for the text"
    if queue:
        yield [], f"it holds more than {MOST} values; write less"


def _deepest(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """Of the alternatives that an error has, the one that data came nearest to."""
    return jsonschema.exceptions.best_match([error])


def _problems(error: jsonschema.ValidationError, files: Files) -> Iterator[str]:
    """What is to be said of one error of the schema, for each key that it is about."""
    place, schema = ".".join(map(str, error.absolute_path)), cast(dict[str, Any], error.schema)
    if error.validator == "additionalProperties":
        properties = schema.get("properties", {})
        for extra in sorted(set(cast(Mapping, error.instance)) - set(properties)):
            full = _join(place, extra)
            valid = (_join(place, k) for k in properties)
            where = files.holder([*error.absolute_path, extra])
            yield str(unknown("key", full, valid, where))
    elif "propertyNames" in error.absolute_schema_path:
        where = files.holder([*error.absolute_path, error.instance])
        yield (
            f"{where}: {_join(place, str(error.instance))!r} is no name: they become names of "
            "files, so they are of lower-case letters, digits, dots and hyphens; what tables show "
            "is the `label`"
        )
    else:
        where = files.holder(list(map(str, error.absolute_path)), error.instance)
        hints = [schema.get("description", ""), hint_of(error.instance)]
        text = " ".join(filter(None, hints))
        said = textwrap.shorten(error.message, 300, placeholder=" …")
        yield f"{where}: {place or 'config'}: {said}. {text}".strip()


def hint_of(value: Any) -> str:
    """Two ways in which a number arrives as text, and how a key loses its value."""
    if value is None:
        return (
            "A key with nothing behind it clears what it is laid over; say a value, or leave the "
            "key out where another file says it."
        )
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
