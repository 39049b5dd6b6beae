"""A stored table read back: as Markdown, or one cell with the files behind it."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from penumbra.errors import PenumbraError, unknown
from penumbra.evaluation.conformal import LEVEL
from penumbra.evaluation.metrics import METRICS
from penumbra.reporting.tables.render import arrange, number, to_markdown
from penumbra.store.artifacts import provenance_of

UNMARKED = "Written by an older version, which did not mark scores that are all equal."


def is_table(file: Path) -> bool:
    """Whether an artifact is a table of results."""
    return file.suffix == ".parquet" and provenance_of(file).get("rule") == "tables"


def as_markdown(file: Path, beside: bool = False) -> str:
    """Title, caption and rows; `beside` adds the papers' printed numbers in brackets.

    Raises:
        PenumbraError: the file is no table.
    """
    table = _read(file)
    meta = table.schema.metadata
    notes = json.loads(meta[b"notes"])
    if "equal" not in table.column_names:
        table, notes = table.append_column("equal", pa.nulls(len(table))), [*notes, UNMARKED]
    return to_markdown(arrange(meta[b"title"].decode(), notes, table.to_pylist()), beside=beside)


def _read(file: Path) -> pa.Table:
    if not is_table(file):
        raise PenumbraError(f"{file}: is no table; those are results/<world>/tables/*.parquet")
    return pq.read_table(file)


class Cell(NamedTuple):
    """A cell of a stored table: its numbers, what was planned for it, and where it stands."""

    numbers: dict[str, Any]
    planned: dict[str, Any]
    row: int  # from 0
    column: int
    column_name: str


def find_cell(file: Path, row: str, column: str) -> Cell:
    """The cell of a row and a column, which are labels, as the table shows them, or numbers from 1.

    Raises:
        PenumbraError: the file is no table, or has no such row or column; names the nearest.
    """
    cells = _read(file).to_pylist()
    rows = list({cell["row"]: cell["row_label"] for cell in cells}.values())
    width = len(cells) // len(rows)
    columns = [_column_names(cell) for cell in cells[:width]]
    at_row = _place("row", row, [(label,) for label in rows], file)
    at_column = _place("column", column, columns, file)
    place = at_row * width + at_column
    planned = provenance_of(file)["config"]["cells"][place]
    return Cell(cells[place], planned, at_row, at_column, columns[at_column][0])


def one_cell(file: Path, row: str, column: str) -> str:
    """A cell: its value under each seed, mean, deviation, metric, and the files behind it.

    Raises:
        PenumbraError: as `find_cell`.
    """
    cell, planned, at_row, at_column, name = find_cell(file, row, column)
    config = provenance_of(file)["config"]
    lines = [
        f"table      {config['title']}",
        f"row        {at_row + 1}  {cell['row_label']}",
        f"column     {at_column + 1}  {name}",
        f"metric     {cell['metric']}",
    ]
    lines += [f"scorer     {planned['scorer']}"] if planned["scorer"] else []
    lines += [f"block      {cell['block']}"] if cell.get("block") else []
    lines += [f"image sets {', '.join(planned['sets'])}"] if planned["sets"] else []
    lines += _numbers(cell, planned["files"], config)
    return "\n".join(lines)


def _column_names(cell: dict[str, Any]) -> tuple[str, ...]:
    """What a user may call a column: with the arrow of its head, without, or by its metric."""
    head = METRICS[cell["metric"]].title
    plain = head.rstrip(" ↓↑")
    return tuple(f"{cell['column_label']} {name}".strip() for name in (head, plain, cell["metric"]))


def _place(kind: str, wanted: str, names: list[tuple[str, ...]], file: Path) -> int:
    """Place from 0 of a name, or of a number from 1, among the names of rows or columns."""
    lowered = [tuple(name.casefold() for name in alike) for alike in names]
    places = [i for i, alike in enumerate(lowered) if wanted.casefold() in alike]
    if len(places) == 1:
        return places[0]
    if places:
        numbers = ", ".join(str(i + 1) for i in places)
        raise PenumbraError(f"{file}: {kind}s {numbers} are all called {wanted!r}; give a number")
    if not wanted.isdecimal():
        raise unknown(kind, wanted, (alike[min(1, len(alike) - 1)] for alike in names), str(file))
    if not 1 <= int(wanted) <= len(names):
        raise PenumbraError(f"{file}: has {len(names)} {kind}s, and no number {wanted}")
    return int(wanted) - 1


def _numbers(cell: dict[str, Any], files: list[str], config: dict[str, Any]) -> list[str]:
    metric, seeds = cell["metric"], config["seeds"]
    lines = []
    if cell["missing"]:
        lines.append(f"not computed: {cell['missing']}")
    else:
        lines.append(f"mean       {number(cell['mean'], metric)}  ({cell['mean']!r})")
    if cell["std"] is not None:
        shown = number(cell["std"], metric)
        lines.append(f"deviation  {shown}  over {len(cell['values'])} seeds (sample deviation)")
    if cell.get("low") is not None:  # tables of an older version have no interval
        low, high = (number(cell[end], metric) for end in ("low", "high"))
        lines.append(f"interval   {low} to {high}  at {100 * config['confidence']:g} %")
    if cell.get("conformal_low") is not None:
        low, high = (number(cell[f"conformal_{end}"], metric) for end in ("low", "high"))
        lines.append(f"conformal  {low} to {high}  at {100 * LEVEL:g} %, over ID test images alone")
    if cell.get("equal"):  # tables of an older version do not say
        lines.append(
            f"equal      all scores are equal in {cell['equal']:.0%} of seeds × image sets"
        )
    lines += _printed(cell)
    if len(files) != len(cell["values"]):  # one value from the records of many jobs
        return [*lines, "read from", *(f"  {file}" for file in files)]
    # The latency is of the first seed alone.
    for seed, value, file in zip(seeds, cell["values"], files, strict=False):
        lines.append(f"seed {seed:<5} {number(value, metric)}  ({value!r})  {file}")
    return lines


def _printed(cell: dict[str, Any]) -> list[str]:
    if not cell["reported"]:
        return []
    deviation = f" ± {cell['reported_std']}" if cell["reported_std"] else ""
    return [
        f"printed    {cell['reported']}{deviation}  (the paper's, on its own data and networks)"
    ]
