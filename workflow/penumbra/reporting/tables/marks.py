"""What tables mark: all that can be the best of a column, and scores that tell nothing apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from penumbra.evaluation.comparisons import Group
from penumbra.evaluation.intervals import Sample
from penumbra.evaluation.metrics import METRICS, PERCENT

MARKS = {
    "†": "tells nothing apart: all scores are equal here.",
    "‡": "in some of its seeds or image sets all scores are equal; there it tells nothing apart.",
}
# Why a cell has no number although its scores are there.
NOT_FINITE = (
    "it is not finite, as where a norm is 0, scores are infinite, or no image is of a known class"
)


def sign(equal: float | None) -> str:
    """The mark of a cell by the share of its seeds and image sets whose scores are all equal."""
    if not equal:
        return ""
    return "†" if equal == 1 else "‡"


def told(cells: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line of the caption for every mark, and for numbers that are not finite."""
    listed = list(cells)
    shown = {sign(cell["equal"]) for cell in listed if cell["mean"] is not None}
    lines = [f"{mark} {text}" for mark, text in MARKS.items() if mark in shown]
    moved = (
        f"{cell['row_label']}: the map lies behind {cell['instead_of']}, the block that norm "
        f"ratios choose; read at {cell['block']}, the first one that it reaches."
        for cell in listed
        if cell["instead_of"]
    )
    lines += dict.fromkeys(moved)
    rows = [cell["row_label"] for cell in listed if cell["missing"] == NOT_FINITE]
    if rows:
        lines.append(f"{', '.join(dict.fromkeys(rows))}: – stands where a number is not finite.")
    loose = [
        cell["row_label"]
        for cell in listed
        if METRICS[cell["metric"]].is_of_scores and cell["mean"] is not None and cell["low"] is None
    ]
    if loose:
        named = ", ".join(dict.fromkeys(loose))
        lines.append(f"{named}: not finite under some resamples, so without interval.")
    there = {cell["row_label"] for cell in listed if cell["missing"] in (None, NOT_FINITE)}
    gone = dict.fromkeys(c["row_label"] for c in listed if c["row_label"] not in there)
    if gone and any(cell["rank"] for cell in listed):
        lines.append(f"Not compared, as they are not computed: {'; '.join(gone)}.")
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


def rank(
    rows: list[dict[str, Any]],
    samples: Sequence[Sample],
    backbones: Sequence[str | None],
    confidence: float,
) -> None:
    """Set the rank of cells: 1 for the best of a column and all that cannot be told from it.

    2 is the best of those that are told from it. Compared are the cells of one column, metric and
    backbone, each with the best, as `comparisons` says, at the level `confidence`. Without rank
    stay: cells alone in their group, groups whose means are all the same or of which nothing says
    how they scatter, scores that are all equal, numbers that print as the worst there is, and those
    that are not finite under some resample.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, (row, backbone) in enumerate(zip(rows, backbones, strict=True)):
        if METRICS[row["metric"]].better and row["mean"] is not None:
            groups.setdefault((row["column"], row["metric"], backbone), []).append(place)
    for (_, metric, _), places in groups.items():
        scatters = any(samples[place].shows_chance for place in places)
        if scatters and len({rows[place]["mean"] for place in places}) > 1:
            sign = 1 if METRICS[metric].better == "high" else -1
            able = [p for p in places if _rankable(rows[p]) and np.isfinite(samples[p].draws).all()]
            able.sort(key=lambda place: -sign * rows[place]["mean"])
            _rank_group(rows, samples, able, confidence)


def _rank_group(
    rows: list[dict[str, Any]], samples: Sequence[Sample], places: list[int], confidence: float
) -> None:
    """Rank cells that are in order, the best first."""
    if not places:
        return
    group = Group([samples[place] for place in places])
    pairs = group.apart(confidence)
    apart = [place for other, place in enumerate(places) if (0, other) in pairs]
    for place in {*places} - {*apart}:
        rows[place]["rank"] = 1
    for place in apart:
        if rows[place]["mean"] == rows[apart[0]]["mean"]:
            rows[place]["rank"] = 2


def _rankable(row: Mapping[str, Any]) -> bool:
    """Whether a cell can be the best; shares are compared with the worst at the printed digits."""
    metric = METRICS[row["metric"]]
    if row["equal"] == 1:
        return False
    worst = 1.0 if metric.better == "low" else 0.0
    return metric.form != PERCENT or round(row["mean"], 4) != worst
