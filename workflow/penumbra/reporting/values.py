"""Cells of a table as numbers: per seed, mean and deviation, rank, and the printed number."""

import csv
import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from penumbra.audit.artifacts import read_parquet

LOWER_IS_BETTER = {"fpr95", "fpr95_ood_positive", "train_seconds", "latency"}
UNRANKED = {"norm_id", "norm_ood"}
# What the papers' transcribed tables call a metric.
PRINTED = {
    "fpr95": "fpr95",
    "auroc": "auroc",
    "norm_id": "norm_id",
    "norm_ood": "norm_ood",
    "norm_ratio": "norm_ratio",
    "test_accuracy": "test_acc",
    "running_accuracy": "train_acc",
    "train_seconds": "seconds",
    "latency": "seconds",
}


@cache
def _rows(file: str) -> list[dict[str, Any]]:
    return read_parquet(file).to_pylist()


def _of_metrics(file: str, metric: str, sets: Iterable[str]) -> float:
    wanted = set(sets)
    return statistics.fmean(row[metric] for row in _rows(file) if row["image_set"] in wanted)


def _of_accuracy(file: str, metric: str, sets: Iterable[str]) -> float:
    role = metric.removesuffix("_accuracy")
    return next(row["accuracy"] for row in _rows(file) if row["role"] == role)


def _of_history(file: str, metric: str, sets: Iterable[str]) -> float:
    return _rows(file)[-1]["accuracy"]


def _of_run(file: str, metric: str, sets: Iterable[str]) -> float:
    return json.loads(Path(file).read_text(encoding="utf-8"))["seconds"]


def _of_latency(file: str, metric: str, sets: Iterable[str]) -> float:
    return _rows(file)[0]["seconds_per_image"]


READERS: dict[str, Callable[[str, str, Iterable[str]], float]] = {
    "train_accuracy": _of_accuracy,
    "test_accuracy": _of_accuracy,
    "running_accuracy": _of_history,
    "train_seconds": _of_run,
    "latency": _of_latency,
}


def evaluate(cells: list[dict[str, Any]], reported: list[dict[str, str]]) -> list[dict[str, Any]]:
    """One row a cell: values by seed, mean, sample deviation (two seeds or more), rank, reported.

    Ranks 1 and 2 mark the best and second best mean of a column; equal means share a rank.
    """
    rows = []
    for cell in cells:
        read = READERS.get(cell["metric"], _of_metrics)
        values = [read(file, cell["metric"], cell["sets"]) for file in cell["files"]]
        printed = _printed(cell, reported)
        rows.append(
            {
                **{
                    key: cell[key]
                    for key in ("row", "row_label", "column", "column_label", "metric")
                },
                "values": values,
                "mean": statistics.fmean(values) if values else None,
                "std": statistics.stdev(values) if len(values) > 1 else None,
                "rank": None,
                "missing": cell["missing"],
                "reported": printed and printed["value"],
                "reported_std": printed and (printed["std"] or None),
            }
        )
    _rank(rows)
    return rows


def _rank(rows: list[dict[str, Any]]) -> None:
    columns = {(row["column"], row["metric"]) for row in rows}
    for column, metric in columns - {(c, m) for c, m in columns if m in UNRANKED}:
        there = [r for r in rows if (r["column"], r["metric"]) == (column, metric)]
        there = [r for r in there if r["mean"] is not None]
        if len(there) < 2:
            continue
        order = sorted({r["mean"] for r in there}, reverse=metric not in LOWER_IS_BETTER)
        for row in there:
            place = order.index(row["mean"]) + 1
            row["rank"] = place if place <= 2 else None


def _printed(cell: Mapping[str, Any], reported: list[dict[str, str]]) -> dict[str, str] | None:
    """The printed cell; a table that prints the same thing twice is read at its first place."""
    wanted, metric = cell["reported"], PRINTED.get(cell["metric"])
    if wanted is None or metric is None:
        return None
    for row in reported:
        if row["metric"] == metric and all(row[key] == value for key, value in wanted.items()):
            return row if row["value"] else None
    return None


def read_reported(file: Path | None) -> list[dict[str, str]]:
    """The paper's printed cells, one a row."""
    if file is None:
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))
