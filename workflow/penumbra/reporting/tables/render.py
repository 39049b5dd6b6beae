"""One table as CSV, Markdown, LaTeX and HTML."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment

from penumbra.evaluation.conformal import LEVEL
from penumbra.evaluation.metrics import METRICS, PERCENT
from penumbra.reporting.tables.escapes import markdown, tex
from penumbra.reporting.tables.marks import sign
from penumbra.reporting.tables.page import HTML
from penumbra.reporting.tables.printed import numbered


@dataclass(frozen=True)
class Shown:
    """One cell as text.

    `mark` is best (or not told from it), second or empty; `interval` its two ends; `sign` one of
    `marks.MARKS`, where all its scores are equal, or empty; `conformal` the two conformal bounds.
    """

    text: str
    std: str
    mark: str
    sign: str
    interval: tuple[str, str]
    conformal: tuple[str, str]
    reported: str


@dataclass(frozen=True)
class Table:
    """A table ready to be written: title, caption lines, column groups, heads and rows.

    `contradictions` are caption lines on printed numbers, for where these are shown.

    A row is its label, the blocks that it reads, why it is not computed, and its cells.
    """

    title: str
    notes: list[str]
    groups: list[tuple[str, int]]
    heads: list[str]
    rows: list[tuple[str, str, str | None, list[Shown]]]
    contradictions: list[str]

    @property
    def is_printed(self) -> bool:
        """Whether a printed number stands beside some cell."""
        return any(cell.reported for *_, cells in self.rows for cell in cells)

    @property
    def is_bounded(self) -> bool:
        """Whether some cell has conformal bounds."""
        return any(cell.conformal[0] for *_, cells in self.rows for cell in cells)

    @property
    def is_of_blocks(self) -> bool:
        """Whether some row reads a block's feature map."""
        return any(block for _, block, _, _ in self.rows)


def arrange(title: str, notes: list[str], cells: list[dict[str, Any]]) -> Table:
    """Group evaluated cells (see `values.evaluate`) into rows and columns."""
    by_row: dict[int, list[dict[str, Any]]] = {}
    for cell in cells:
        by_row.setdefault(cell["row"], []).append(cell)
    first = next(iter(by_row.values()))
    groups: list[tuple[str, int]] = []
    previous = None
    for cell in first:
        if cell["column"] == previous:
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        else:
            groups.append((cell["column_label"], 1))
        previous = cell["column"]
    rows = []
    marks = numbered(cells)
    for listed in by_row.values():
        reasons = {cell["missing"] for cell in listed}
        reason = reasons.pop() if len(reasons) == 1 else None
        blocks = dict.fromkeys(cell["block"] for cell in listed if cell.get("block"))
        shown = [_show(cell, marks) for cell in listed]
        rows.append((listed[0]["row_label"], ", ".join(blocks), reason, shown))
    heads = [METRICS[cell["metric"]].title for cell in first]
    told = [f"{mark} {note}" for note, mark in marks.items()]
    return Table(title, notes, groups, heads, rows, [*told, *_gaps(by_row.values())])


def _gaps(rows: Iterable[list[dict[str, Any]]]) -> list[str]:
    """Why single cells are empty, in rows that have others."""
    labels: dict[str, dict[str, None]] = {}
    for cells in rows:
        reasons = {cell["missing"] for cell in cells}
        for reason in reasons - {None} if len(reasons) > 1 else ():
            labels.setdefault(reason, {})[cells[0]["row_label"]] = None
    return [f"– {', '.join(rows)}: {reason}" for reason, rows in sorted(labels.items())]


def _show(cell: dict[str, Any], marks: dict[str, str]) -> Shown:
    printed = cell["reported"] or ""
    if printed and cell["reported_std"]:
        printed += f" ± {cell['reported_std']}"
    printed += "".join(marks[note] for note in cell.get("contradictions") or ())
    if cell["mean"] is None:
        return Shown("", "", "", "", ("", ""), ("", ""), printed)
    mark = {1: "best", 2: "second"}.get(cell["rank"], "")
    std = "" if cell["std"] is None else number(cell["std"], cell["metric"])
    mean = number(cell["mean"], cell["metric"])
    return Shown(
        *(mean, std, mark, sign(cell["equal"])),
        *(_ends(cell, ""), _ends(cell, "conformal_")),
        printed,
    )


def _ends(cell: dict[str, Any], kind: str) -> tuple[str, str]:
    """Both ends of an interval; tables of an older version have none."""
    low, high = (cell.get(f"{kind}{end}") for end in ("low", "high"))
    if low is None or high is None:
        return "", ""
    return number(low, cell["metric"]), number(high, cell["metric"])


def number(value: float, metric: str) -> str:
    """A value of a metric as tables print it: shares in percent."""
    form = METRICS[metric].form
    return f"{100 * value:.2f}" if form == PERCENT else format(value, form)


def to_csv(table: Table) -> str:
    """Mean, deviation, interval, bounds and printed number in columns of their own, without marks.

    The last but one column names the columns whose scores tell nothing apart, with their marks. The
    caption comes first, in lines that begin with #, which CSV readers skip as comments when told.
    """
    text = io.StringIO()
    for line in (table.title, *table.notes, *table.contradictions):
        text.write(f"# {' '.join(line.split())}\n")
    writer = csv.writer(text, lineterminator="\n")
    names = [label for label, span in table.groups for _ in range(span)]
    columns = [f"{name} {head}".strip() for name, head in zip(names, table.heads, strict=True)]
    kinds = ("mean", "std", "low", "high", "conformal low", "conformal high", "reported")
    told = ("all scores equal in", "not computed because")
    writer.writerow(["row", "block", *(f"{c} {k}" for c in columns for k in kinds), *told])
    for label, block, reason, cells in table.rows:
        values = [
            value
            for cell in cells
            for value in (cell.text, cell.std, *cell.interval, *cell.conformal, cell.reported)
        ]
        equal = [f"{c} {cell.sign}" for c, cell in zip(columns, cells, strict=True) if cell.sign]
        writer.writerow([label, block, *values, "; ".join(equal), reason or ""])
    return text.getvalue()


def to_markdown(table: Table, beside: bool = False) -> str:
    """Best in bold, second best underlined; `beside` adds the printed numbers in brackets."""

    def text(cell: Shown) -> str:
        shown = _marked(cell, "**{}**", "<u>{}</u>", " ± ", cell.sign)
        return f"{shown} [{cell.reported}]" if beside and cell.reported else shown

    names = [label for label, span in table.groups for _ in range(span)]
    heads = [
        f"{markdown(n)}<br>{markdown(h)}" if n else markdown(h)
        for n, h in zip(names, table.heads, strict=True)
    ]
    notes = [*table.notes, *(table.contradictions if beside else [])]
    of_blocks = table.is_of_blocks
    rows = []
    for label, block, reason, cells in table.rows:
        body = [text(cell) for cell in cells]
        if reason:
            printed = [f" [{c.reported}]" if beside and c.reported else "" for c in cells]
            body = [f"–{number}" for number in printed[:-1]]
            body.append(f"not computed: {markdown(reason)}{printed[-1]}")
        rows.append([markdown(label), *([markdown(block)] if of_blocks else []), *body])
    return markdown_table(table.title, notes, ["Block"] if of_blocks else [], heads, rows)


def markdown_table(
    title: str,
    notes: Iterable[str],
    texts: Sequence[str],
    numbers: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> str:
    """A title, notes, and rows that begin with a label: columns of texts, then those of numbers.

    `texts` and `numbers` are the heads of these columns; heads and cells are Markdown already.
    """
    lines = [f"**{markdown(title)}**", "", *(f"{markdown(note)}  " for note in notes), ""]
    lines += ["| | " + " | ".join([*texts, *numbers]) + " |"]
    lines += ["|---|" + "---|" * len(texts) + "---:|" * len(numbers)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """A booktabs table."""
    of_blocks = table.is_of_blocks
    spans = [rf"\multicolumn{{{span}}}{{c}}{{{tex(label)}}}" for label, span in table.groups]
    heads = [tex(head) for head in table.heads]
    spans, heads = (["", *spans], ["Block", *heads]) if of_blocks else (spans, heads)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{tex(table.title)}. {tex(' '.join(table.notes))}}}",
        rf"\begin{{tabular}}{{l{'l' * of_blocks}{'r' * len(table.heads)}}}",
        r"\toprule",
        " & " + " & ".join(spans) + r" \\",
        " & " + " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    for label, block, reason, cells in table.rows:
        if reason:
            body = rf"\multicolumn{{{len(cells)}}}{{l}}{{not computed: {tex(reason)}}}"
        else:
            body = " & ".join(_tex_cell(cell) for cell in cells)
        begin = " & ".join([tex(label), *([tex(block)] if of_blocks else [])])
        lines.append(rf"{begin} & {body} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def to_html(table: Table) -> str:
    """A page of its own, with the printed numbers under the computed ones."""
    page = Environment(autoescape=True).from_string(HTML)
    return page.render(table=table, level=f"{100 * LEVEL:g}")


def _tex_cell(cell: Shown) -> str:
    return _marked(cell, r"\textbf{{{}}}", r"\underline{{{}}}", r" $\pm$ ", tex(cell.sign))


def _marked(cell: Shown, best: str, second: str, plus_minus: str, sign: str) -> str:
    if not cell.text:
        return "–"
    form = {"best": best, "second": second}.get(cell.mark, "{}")
    return form.format(cell.text) + sign + (plus_minus + cell.std if cell.std else "")


FORMATS: dict[str, Callable[[Table], str]] = {
    "csv": to_csv,
    "md": to_markdown,
    "tex": to_latex,
    "html": to_html,
}
