"""What tables mark: best and second best of a column, and scores that tell nothing apart."""

from collections.abc import Iterable, Mapping
from typing import Any

from penumbra.evaluation.metrics import METRICS, PERCENT

MARKS = {
    "†": "tells nothing apart: all scores are equal here.",
    "‡": "in some of its seeds or image sets all scores are equal; there it tells nothing apart.",
}
# Why a cell has no number although its scores are there.
NOT_FINITE = "it is not finite, as where a norm is 0 or scores are infinite"


def sign(equal: float | None) -> str:
    """The mark of a cell by the share of its seeds and image sets whose scores are all equal."""
    if not equal:
        return ""
    return "†" if equal == 1 else "‡"


def told(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line of the caption for every mark, and for numbers that are not finite."""
    listed = list(cells)
    there = {sign(cell["equal"]) for cell in listed if cell["mean"] is not None}
    lines = [f"{mark} {text}" for mark, text in MARKS.items() if mark in there]
    rows = [cell["row_label"] for cell in listed if cell["missing"] == NOT_FINITE]
    if rows:
        lines.append(f"{', '.join(dict.fromkeys(rows))}: – stands where a number is not finite.")
    return lines


def equal_share(rows: list[Mapping[str, Any]], metric: str) -> float | None:
    """Share of metrics rows whose scores are all equal; None where `metric` is not of scores.

    Equal scores accept all images or none, so that AUROC is exactly one half and FPR95 exactly one.
    """
    scope = "full_" if metric.startswith("full_") else ""
    keys = (f"{scope}auroc", f"{scope}fpr95")
    if not rows or any(key not in row for row in rows for key in keys):
        return None
    return sum(tuple(row[key] for key in keys) == (0.5, 1.0) for row in rows) / len(rows)


def rank(rows: list[dict[str, Any]]) -> None:
    """Set the rank of cells: 1 and 2 for the best and second best mean of a column.

    Equal means share a rank. Without rank stay: cells alone in their column, columns whose means
    are all the same, scores that are all equal, and numbers that print as the worst there is.
    """
    columns = {(row["column"], row["metric"]) for row in rows if METRICS[row["metric"]].better}
    for column in columns:
        there = [r for r in rows if (r["column"], r["metric"]) == column and r["mean"] is not None]
        if len({r["mean"] for r in there}) < 2:
            continue
        from_above = METRICS[column[1]].better == "high"
        order = sorted({r["mean"] for r in there if _rankable(r)}, reverse=from_above)
        for row in filter(_rankable, there):
            place = order.index(row["mean"]) + 1
            row["rank"] = place if place <= 2 else None


def _rankable(row: Mapping[str, Any]) -> bool:
    """Whether a cell can be the best; shares are compared with the worst at the printed digits."""
    metric = METRICS[row["metric"]]
    if row["equal"] == 1:
        return False
    worst = 1.0 if metric.better == "low" else 0.0
    return metric.form != PERCENT or round(row["mean"], 4) != worst
