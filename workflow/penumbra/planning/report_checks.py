"""Whether what the files of tables and figures say can be computed."""

from collections.abc import Iterator, Mapping
from functools import partial
from string import Formatter
from typing import Any

from penumbra.errors import unknown
from penumbra.evaluation.metrics import METRICS
from penumbra.planning import left_out
from penumbra.planning.cells import OF_ALL, backbone_named
from penumbra.planning.gathering import tell
from penumbra.planning.references import unanswered
from penumbra.planning.reported import printed
from penumbra.planning.world import World

FIELDS = ("benchmark", "backbone")  # of a column's label
MODEL = ("backbone", "recipe")
# What a row says for the metrics of an artifact, and an input of a figure for its kind.
OF_ROWS = {
    **dict.fromkeys(("metrics", "latency"), (*MODEL, "scorer")),
    **dict.fromkeys(("accuracy", "theory", "history", "training-run"), MODEL),
    **dict.fromkeys(("outliers", "selections"), MODEL),
    "categories": (*MODEL, "outliers"),
}
OF_INPUTS = {
    "images": ("image_set",),
    **dict.fromkeys(("models", "outputs", "blocks", "energies", "selections", "categories"), MODEL),
    **dict.fromkeys(("scores", "metrics"), (*MODEL, "scorer")),
    "calibrations": (*MODEL, "calibration"),
    **dict.fromkeys(("representations", "embeddings", "outliers"), ("outliers",)),
    "tables": ("table",),
}


def check_table(world: World, table: Mapping[str, Any]) -> None:
    """Refuse a table whose rows and columns could not be computed, or say a thing twice.

    Raises:
        PenumbraError: all that is wrong, each with its file and key.
    """
    absent = world.reports.absent(table)
    where = partial(world.reports.where, table["name"])
    table = {"columns": [], "rows": [], **table}
    rows = [_computed(row) for row in table["rows"]]
    computed = {**table, "rows": rows}
    # A row may name what this world leaves out, and then says so; a name of nothing is an error.
    known = {k: {*names, *world.left_out.get(k, ())} for k, names in world.answers().items()}
    named = unanswered(computed, world.schema("table"), known, where)
    said = [*_columns(table), *_needs(table, rows), *_twice(table), *_reported(world, table)]
    told = (text for _, text in named)
    tell([*absent, *told, *(f"{where(*keys)}: {what}" for keys, what in said)])


Problems = Iterator[tuple[tuple[str, ...], str]]  # keys, and what is wrong there


def _computed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row, nothing of which is looked for where it says that it is missing."""
    return {"label": row["label"], "missing": row["missing"]} if "missing" in row else dict(row)


def _columns(table: Mapping[str, Any]) -> Problems:
    for place, column in enumerate(table["columns"]):
        keys = ("columns", str(place))
        wrong = _wrong_field(column.get("label", ""))
        if wrong is not None:
            known = " and ".join(f"{{{field}}}" for field in FIELDS)
            yield (*keys, "label"), f"{wrong}; {known} are filled in, and no other braces stand"
        elif "{backbone}" in column.get("label", "") and not backbone_named(table, column):
            yield (*keys, "label"), "rows differ in their backbone; say one `with` the column"
        of_sets = [m for m in column["metrics"] if _artifact(m) == "metrics"]
        if "group" not in column and (of_sets or "sets" in column):
            yield keys, f"{(of_sets or ['each'])[0]} is of OOD image sets; name their `group`"


def _artifact(metric: str) -> str:
    """The kind of artifact that holds a metric; none for an unknown one, told elsewhere."""
    return METRICS[metric].artifact if metric in METRICS else ""


def _wrong_field(label: str) -> str | None:
    try:
        parsed = list(Formatter().parse(label))
    except ValueError as error:
        return f"{label!r}: {error}"
    for _, field, form, conversion in parsed:
        if field is not None and (field not in FIELDS or form or conversion):
            return f"{label!r} wants {{{field}}}"
    return None


def _needs(table: Mapping[str, Any], rows: list[dict[str, Any]]) -> Problems:
    """What rows do not say of what the metrics of some column need."""
    told = set()
    for i, row in enumerate(rows):
        for column in table["columns"]:
            said = {*row, *column.get("with", {}), *(k for k in OF_ALL if k in table)}
            for metric in column["metrics"]:
                needed = () if "missing" in row else OF_ROWS.get(_artifact(metric), ())
                for key in needed:
                    if key not in said and (i, key) not in told:
                        told.add((i, key))
                        yield (
                            ("rows", str(i)),
                            f"{row['label']}: {metric} needs its `{key}`; say it",
                        )


def _twice(table: Mapping[str, Any]) -> Problems:
    """Rows and columns that say what another says."""
    labels: dict[str, int] = {}
    contents: dict[str, int] = {}
    for i, row in enumerate(table["rows"]):
        content = {k: v for k, v in row.items() if k not in ("label", "reported")}
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


def _reported(world: World, table: Mapping[str, Any]) -> Problems:
    """What rows and columns say of the printed numbers, and no printed number has.

    The numbers are those of the table whose file says it: what another takes over need not fit it.
    """
    for kind in ("rows", "columns"):
        said = world.reports.lineage(table["name"])
        names = (data.get("reported_in", name) for name, data in said if kind in data)
        origin = next(names, table["name"])
        file = world.folder / "reported" / f"{origin}.csv"
        if not file.is_file():
            continue
        rows = printed(file)
        values = {key: {row[key] for row in rows} for key in (rows[0] if rows else ())}
        for i, entry in enumerate(table[kind]):
            for key, value in entry.get("reported", {}).items():
                keys = (kind, str(i), "reported", key)
                if key not in values:
                    yield keys, str(unknown("column", key, values, file.name))
                elif value not in values[key]:
                    yield keys, str(unknown("value", value, values[key], file.name))


def check_figure(world: World, name: str) -> None:
    """Refuse a figure whose inputs could not be made.

    Raises:
        PenumbraError: all that is wrong, each with its file and key.
    """
    figure = world.table(name)
    where = partial(world.reports.where, name)
    inputs = {k: e for k, e in left_out.inputs(world, name).items() if "missing" not in e}
    computed = {**figure, "module": figure.get("module", name), "inputs": inputs}
    answers = (world.answers(), where, world.left_out)
    named = unanswered(computed, world.schema("figure"), *answers)
    said = [
        (("inputs", role, *keys), what)
        for role, entry in inputs.items()
        for keys, what in _input(world, entry)
    ]
    tell([*(told for _, told in named), *(f"{where(*keys)}: {what}" for keys, what in said)])


def _input(world: World, entry: Mapping[str, Any]) -> Problems:
    absent = [key for key in OF_INPUTS[entry["kind"]] if key not in entry]
    if absent:
        yield (), f"{entry['kind']} need {', '.join(absent)}; say it"
    benchmark = world.tested(entry.get("benchmark"))
    chosen = entry.get("image_set")
    own = world.config["benchmarks"].get(benchmark or "", {})
    if benchmark and isinstance(chosen, str) and not isinstance(own.get(chosen), str):
        yield ("image_set",), f"{benchmark} has no {chosen!r}; write train, test, or heldout"
