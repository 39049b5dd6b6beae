"""The files of config/tables: what tables and figures are made of, read and checked."""

import csv
import functools
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from string import Formatter
from typing import Any

from penumbra.errors import PenumbraError, unknown
from penumbra.planning.answers import is_figure
from penumbra.planning.config import LONGEST, Files
from penumbra.planning.gathering import found, tell
from penumbra.planning.references import unanswered
from penumbra.planning.sources import SOURCES
from penumbra.planning.validation import validate

KEYS = {"table": ("title", "columns", "rows"), "figure": ("title", "inputs")}
FIELDS = ("benchmark", "backbone")  # of a column's label
MODEL = ("backbone", "recipe")
# What a row says for the metrics of an artifact, and an input of a figure for its kind.
OF_ROWS = {
    **dict.fromkeys(("metrics", "latency"), (*MODEL, "scorer")),
    **dict.fromkeys(("accuracy", "history", "training-run", "outliers"), MODEL),
    "categories": (*MODEL, "part"),
}
OF_INPUTS = {
    "images": ("image_set",),
    **dict.fromkeys(("models", "outputs", "energies", "selections", "categories"), MODEL),
    **dict.fromkeys(("scores", "metrics"), (*MODEL, "scorer")),
    "blocks": (*MODEL, "block"),
    "calibrations": (*MODEL, "calibration"),
    **dict.fromkeys(("representations", "embeddings", "outliers"), ("outliers",)),
}


def read(world: Any, name: str) -> dict[str, Any]:
    """A table or figure with what it is like, all its keys there.

    Raises:
        PenumbraError: there is no such file, or all that is wrong with its keys.
    """
    laid: dict[str, Any] = {}
    for _, data in reversed(list(_lineage(world, name))):
        laid |= data
    laid.pop("like", None)
    kind = _kind(name)
    table = {**laid, "name": name}
    absent = [key for key in KEYS[kind] if key not in laid]
    if absent:
        told = f"{_file(world, name)}: a {kind} has {', '.join(absent)}, too; say it, or take it "
        partly = partial(check_table, world, {"columns": [], "rows": [], **table})
        others = found([partly]) if kind == "table" else []
        tell([f"{told}over from another by `like`", *others])
    return table


def _kind(name: str) -> str:
    return "figure" if is_figure(name) else "table"


def _file(world: Any, name: str) -> Path:
    return world.folder / "tables" / f"{name}.yaml"


def _lineage(world: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A table or figure as its file says it, then that which it is like, and so on."""
    chain: list[str] = []
    current: str | None = name
    while current is not None:
        data = _document(world, current)
        yield current, data
        chain.append(current)
        current = data.get("like")
        file = _file(world, chain[-1])
        if current in chain:
            said = " is like ".join([*chain[chain.index(current) :], current])
            raise PenumbraError(f"{file}: like: {said}; write out one of them")
        if len(chain) > LONGEST:
            raise PenumbraError(f"{file}: like: a chain of more than {LONGEST}; write out this one")


@functools.cache
def _document(world: Any, name: str) -> dict[str, Any]:
    """What the file of a table or figure itself says."""
    file = _file(world, name)
    if not file.is_file():
        raise unknown(
            "table or figure", name, (p.stem for p in file.parent.glob("*.yaml")), "config"
        )
    files = Files([file])
    data, schema = files.laid(), world.schema(_kind(name))
    validate(data, schema, files)
    like = {key: data[key] for key in ("like",) if key in data}
    tell(told for _, told in unanswered(like, schema, world.answers(), files.where))
    return data


def _place(world: Any, name: str, *keys: str) -> str:
    """A key of a table or figure with the file that says it."""
    said = (file for file, data in _lineage(world, name) if keys[0] in data)
    return f"{_file(world, next(said, name))}: {'.'.join(keys)}"


def check_table(world: Any, table: Mapping[str, Any]) -> None:
    """Refuse a table whose rows and columns could not be computed, or say a thing twice.

    Raises:
        PenumbraError: all that is wrong, each with its file and key.
    """
    where = partial(_place, world, table["name"])
    rows = [_computed(world, row) for row in table["rows"]]
    schema = world.schema("table")
    named = unanswered({**table, "rows": rows}, schema, world.answers(), where)
    said = [*_columns(table), *_needs(table, rows), *_twice(table), *_reported(world, table)]
    tell([*(told for _, told in named), *(f"{where(*keys)}: {what}" for keys, what in said)])


Found = Iterator[tuple[tuple[str, ...], str]]  # keys, and what is wrong there


def _computed(world: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row, nothing of which is looked for where it says that it is missing."""
    recipe = row.get("recipe")
    if row.get("if_defined") and recipe is not None and recipe not in world.config["recipes"]:
        return {"label": row["label"], "missing": "its recipe"}
    return {"label": row["label"], "missing": row["missing"]} if "missing" in row else dict(row)


def _columns(table: Mapping[str, Any]) -> Found:
    for place, column in enumerate(table["columns"]):
        keys = ("columns", str(place))
        wrong = _wrong_field(column.get("label", ""))
        if wrong is not None:
            known = " and ".join(f"{{{field}}}" for field in FIELDS)
            yield (*keys, "label"), f"{wrong}; {known} are filled in, and no other braces stand"
        of_sets = [m for m in column["metrics"] if SOURCES.get(m) == "metrics"]
        if "group" not in column and (of_sets or "sets" in column):
            yield keys, f"{(of_sets or ['each'])[0]} is of OOD image sets; name their `group`"


def _wrong_field(label: str) -> str | None:
    try:
        parsed = list(Formatter().parse(label))
    except ValueError as error:
        return f"{label!r}: {error}"
    for _, field, form, conversion in parsed:
        if field is not None and (field not in FIELDS or form or conversion):
            return f"{label!r} wants {{{field}}}"
    return None


def _needs(table: Mapping[str, Any], rows: list[dict[str, Any]]) -> Found:
    """What rows do not say of what the metrics of some column need."""
    told = set()
    for i, row in enumerate(rows):
        for column in table["columns"]:
            said = {*row, *column.get("with", {}), *(k for k in FIELDS if k in table)}
            for metric in column["metrics"]:
                needed = () if "missing" in row else OF_ROWS.get(SOURCES.get(metric, ""), ())
                for key in needed:
                    if key not in said and (i, key) not in told:
                        told.add((i, key))
                        yield (
                            ("rows", str(i)),
                            f"{row['label']}: {metric} needs its `{key}`; say it",
                        )


def _twice(table: Mapping[str, Any]) -> Found:
    """Rows and columns that say what another says."""
    labels: dict[str, int] = {}
    contents: dict[str, int] = {}
    for i, row in enumerate(table["rows"]):
        content = {k: v for k, v in row.items() if k not in ("label", "reported", "if_defined")}
        first = labels.setdefault(row["label"], i)
        if "missing" not in row:
            first = min(first, contents.setdefault(str(sorted(content.items())), i))
        if first != i:
            yield ("rows", str(i)), f"{row['label']}: as row {first}; keep one, or let them differ"
    cells: dict[str, int] = {}
    for j, column in enumerate(table["columns"]):
        of = [column.get("group"), column.get("sets"), sorted(column.get("with", {}).items())]
        for metric in column["metrics"]:
            first = cells.setdefault(str([*of, metric]), j)
            if first != j:
                yield ("columns", str(j)), f"{metric} stands in column {first} already; keep one"


def _reported(world: Any, table: Mapping[str, Any]) -> Found:
    """What rows and columns say of the printed numbers, and no printed number has.

    The numbers are those of the table whose file says it: what another takes over need not fit it.
    """
    for kind in ("rows", "columns"):
        said = (name for name, data in _lineage(world, table["name"]) if kind in data)
        origin = next(said, table["name"])
        file = world.folder / "reported" / f"{origin}.csv"
        if not file.is_file():
            continue
        printed = _printed(file)
        for i, entry in enumerate(table[kind]):
            for key, value in entry.get("reported", {}).items():
                keys = (kind, str(i), "reported", key)
                if key not in printed:
                    yield keys, str(unknown("column", key, printed, file.name))
                elif value not in printed[key]:
                    yield keys, str(unknown("value", value, printed[key], file.name))


@functools.cache
def _printed(file: Path) -> dict[str, set[str]]:
    """The values of each column of the printed numbers of a table."""
    try:
        rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    except UnicodeDecodeError as error:
        raise PenumbraError(f"{file}: not UTF-8 ({error}); save it as UTF-8") from None
    return {key: {row[key] for row in rows} for key in (rows[0] if rows else ())}


def check_figure(world: Any, name: str) -> None:
    """Refuse a figure whose inputs could not be made.

    Raises:
        PenumbraError: all that is wrong, each with its file and key.
    """
    figure = world.table(name)
    where = partial(_place, world, name)
    inputs = {k: e for k, e in figure["inputs"].items() if "missing" not in e}
    computed = {**figure, "module": figure.get("module", name), "inputs": inputs}
    named = unanswered(computed, world.schema("figure"), world.answers(), where)
    said = [
        (("inputs", role, *keys), what)
        for role, entry in inputs.items()
        for keys, what in _input(world, entry)
    ]
    tell([*(told for _, told in named), *(f"{where(*keys)}: {what}" for keys, what in said)])


def _input(world: Any, entry: Mapping[str, Any]) -> Found:
    absent = [key for key in OF_INPUTS[entry["kind"]] if key not in entry]
    if absent:
        yield (), f"{entry['kind']} need {', '.join(absent)}; say it"
    benchmark = world.config["roles"].get(entry.get("benchmark", "main"))
    chosen = entry.get("image_set")
    own = world.config["benchmarks"].get(benchmark, {})
    if isinstance(chosen, str) and not isinstance(own.get(chosen), str):
        yield ("image_set",), f"{benchmark} has no {chosen!r}; write train, test, or heldout"
