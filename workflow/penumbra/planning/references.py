"""Names that refer to other entries: declared once, by `x-names` in the schemas.

`x-names: recipes` beside a text says that it names a recipe; in `propertyNames`, that the keys do.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from penumbra.errors import unknown

# What errors call the entries of each kind.
WORDS = {
    "image_sets": "image set",
    "datasets": "data set",
    "outliers": "outliers",
    "class_lists": "class list",
    "word_lists": "word list",
    "tested": "role or benchmark",
    "figure_modules": "figure module",
}
# How an entry of a kind comes about, where that is not plain.
MENDS = {
    "datasets": (
        "A data set of your own is an entry of `datasets` in your config file, with the keys that "
        "config/datasets.yaml gives its own"
    ),
}

# Kinds that are taken for each other.
OTHERS = {"tables": "figures", "figures": "tables"}

Where = Callable[..., str]
Names = Mapping[str, Collection[str]]  # by kind of entry
NONE: Names = {}


class Reference(NamedTuple):
    """A name at some keys, and the kind of entry that it names."""

    keys: tuple[str, ...]
    kind: str
    name: str


def references(
    data: Any, schema: Mapping[str, Any], root: Mapping[str, Any], keys: tuple[str, ...] = ()
) -> Iterator[Reference]:
    """All names in data of a schema that refer to entries; `root` holds the schema's `$defs`."""
    if "$ref" in schema:
        defined = root["$defs"][schema["$ref"].rpartition("/")[2]]
        yield from references(data, defined, root, keys)
    for choice in (*schema.get("oneOf", []), *schema.get("anyOf", [])):
        yield from references(data, choice, root, keys)
    if isinstance(data, str) and "x-names" in schema:
        yield Reference(keys, schema["x-names"], data)
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from references(value, schema.get("items", {}), root, (*keys, str(place)))
    elif isinstance(data, Mapping):
        kind = schema.get("propertyNames", {}).get("x-names")
        others = schema.get("additionalProperties") or {}
        for key, value in data.items():
            if kind is not None:
                yield Reference((*keys, key), kind, key)
            below = schema.get("properties", {}).get(key, others)
            yield from references(value, below, root, (*keys, key))


def unanswered(
    data: Any, schema: Mapping[str, Any], valid: Names, where: Where, left_out: Names = NONE
) -> list[tuple[Reference, str]]:
    """The names in data that nothing answers to, and what is to be said of each.

    `where(*keys)` begins what is said; it ends with the nearest valid name. Of entries that a world
    has `left_out`, there may be changes, and nothing else may name them.
    """
    named = (one for one in references(data, schema, schema) if one.name not in valid[one.kind])
    return [
        (one, _unknown(one, valid, where, left_out))
        for one in named
        if one.keys[-1] != one.name or one.name not in left_out.get(one.kind, ())
    ]


def _unknown(reference: Reference, valid: Names, where: Where, left_out: Names) -> str:
    place, kind, name = where(*reference.keys), reference.kind, reference.name
    if name in left_out.get(kind, ()):
        return (
            f"{place}: this world leaves {kind}.{name} out, which is null; define it, or leave out "
            "what names it"
        )
    other = OTHERS.get(kind)
    if other is not None and name in valid[other]:
        return f"{place}: {name} is one of the {other}, not of the {kind}; name it under `{other}`"
    word = WORDS.get(kind, kind.removesuffix("s"))
    told = str(unknown(word, name, valid[kind], place))
    return ". ".join(filter(None, [told, MENDS.get(kind)]))
