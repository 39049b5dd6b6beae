"""Cells of a table as numbers: per seed, mean and deviation, rank, and the printed number."""

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.evaluation.intervals import Sample, ends
from penumbra.evaluation.metrics import METRICS, PERCENT, bound_names
from penumbra.evaluation.resampling import DRAWS, draws_of
from penumbra.reporting.tables.marks import NOT_FINITE, equal_share, rank
from penumbra.reporting.tables.printed import Printed
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import matrix


@cache
def _rows(file: str) -> list[dict[str, Any]]:
    return read_parquet(file).to_pylist()


def of_scorer(file: str | Path, scorer: str) -> list[dict[str, Any]]:
    """The rows of a file of metrics that are about one scorer, one an OOD image set."""
    return [row for row in _rows(str(file)) if row["scorer"] == scorer]


def _shown(cell: Mapping[str, Any], file: str) -> list[dict[str, Any]]:
    """The rows of a file of metrics that a cell is about."""
    rows = of_scorer(file, cell["scorer"])
    return [row for row in rows if row["image_set"] in cell["sets"]]


def _of_metrics(cell: Mapping[str, Any], file: str) -> float:
    values = [row[cell["metric"]] for row in _shown(cell, file)]
    return math.nan if None in values or not np.isfinite(values).all() else statistics.fmean(values)


def _of_accuracy(cell: Mapping[str, Any], file: str) -> float:
    """`<role>_accuracy` or `<role>_matched_accuracy`, pooled over the image sets of the role."""
    role, matched = cell["metric"].split("_")[0], "_matched" in cell["metric"]
    value, n = ("matched_accuracy", "n_matched") if matched else ("accuracy", "n")
    rows = [row for row in _rows(file) if row["role"] == role]
    images = sum(row[n] for row in rows)
    return sum(row[value] * row[n] for row in rows) / images if images else math.nan


def _of_theory(cell: Mapping[str, Any], file: str) -> float:
    return _rows(file)[0][cell["metric"]]


def _of_history(cell: Mapping[str, Any], file: str) -> float:
    return _rows(file)[-1]["accuracy"]


def _of_run(cell: Mapping[str, Any], file: str) -> float:
    return json.loads(Path(file).read_text(encoding="utf-8"))["seconds"]


def _of_latency(cell: Mapping[str, Any], file: str) -> float:
    return _rows(file)[0]["seconds_per_image"]


def _of_categories(cell: Mapping[str, Any], file: str) -> float:
    """How many of the outliers before the filter, after it, or removed by it are of a category."""
    category, unit = cell["metric"].removeprefix("ood").split("_")
    wanted = {"before": (True, False), "after": (True,), "removed": (False,)}[cell["outliers"]]
    rows = [row for row in _rows(file) if row["kept"] in wanted]
    count = sum(row["category"] == int(category) for row in rows)
    if unit == "count":
        return count
    # What is removed is a share of the category, as printed; what is there, of all that is there.
    removed = cell["outliers"] == "removed"
    every = [row for row in _rows(file) if row["category"] == int(category)] if removed else rows
    return count / max(len(every), 1)


def _of_selection(cell: Mapping[str, Any], file: str) -> float:
    """How many outliers the filter keeps, or their share."""
    kept = [row["kept"] for row in _rows(file)]
    return sum(kept) / (1 if cell["metric"] == "kept_count" else len(kept))


# By the kind of artifact that holds a metric: its value in one file, which is of one seed.
READERS: dict[str, Callable[[Mapping[str, Any], str], float]] = {
    "metrics": _of_metrics,
    "accuracy": _of_accuracy,
    "theory": _of_theory,
    "history": _of_history,
    "training-run": _of_run,
    "latency": _of_latency,
    "categories": _of_categories,
    "selections": _of_selection,
}


def _per_hundred(files: Iterable[str]) -> float:
    """Seconds that 100 outliers took, over the run records of all that made them."""
    runs = [json.loads(Path(file).read_text(encoding="utf-8")) for file in files]
    return sum(100 * run["seconds"] / run["images"] for run in _pooled(runs))


def _pooled(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of one rule's shards as one."""
    rules: dict[str, dict[str, Any]] = {}
    for run in runs:
        one = rules.setdefault(run["rule"], {"seconds": 0.0, "images": 0})
        for key in one:
            one[key] += run[key]
    return list(rules.values())


def evaluate(
    cells: list[dict[str, Any]], printed: Printed, confidence: float
) -> list[dict[str, Any]]:
    """One row a cell: values by seed, mean, sample deviation (two seeds or more), rank, reported.

    `low` and `high` bound the mean of a metric of scores at the level `confidence`; conformal
    bounds are the mean of those of each seed, at a level of their own. `equal` is the share of
    seeds and image sets whose scores tell nothing apart (see `marks`). A cell with a value that is
    not finite has no mean and says so in `missing`.
    """
    samples = [sample_of(cell) for cell in cells]
    rows = [
        _evaluated(cell, sample, printed, confidence)
        for cell, sample in zip(cells, samples, strict=True)
    ]
    rank(rows, samples, [cell["backbone"] for cell in cells], confidence)
    return rows


def _evaluated(
    cell: Mapping[str, Any], sample: Sample, printed: Printed, confidence: float
) -> dict[str, Any]:
    values = sample.values.tolist()
    finite = all(map(math.isfinite, values))
    metric = METRICS[cell["metric"]]
    has_any = values and metric.is_of_scores
    between = ends(sample, confidence, metric.form == PERCENT) if has_any else None
    low, high = between or (None, None)
    return {
        **{key: cell[key] for key in ("row", "row_label", "column", "column_label", "metric")},
        "values": values,
        "mean": statistics.fmean(values) if values and finite else None,
        "std": statistics.stdev(values) if len(values) > 1 and finite else None,
        "low": low,
        "high": high,
        **_conformal(cell),
        **_block(cell),
        "equal": _equal(cell),
        "rank": None,
        "missing": cell["missing"] if finite else NOT_FINITE,
        **printed.of(cell),
    }


def sample_of(cell: Mapping[str, Any]) -> Sample:
    """A cell's value under each seed, and under resamples: the same where it is not of scores."""
    values = np.array(_values(cell))
    draws = np.repeat(values[:, None], DRAWS, axis=1)
    if METRICS[cell["metric"]].is_of_scores:
        for seed, file in enumerate(cell["files"]):
            draws[seed] = _of_draws(cell, file)
    return Sample(values, draws)


def _of_draws(cell: Mapping[str, Any], file: str) -> np.ndarray:
    places, columns = _drawn(str(draws_of(Path(file))))
    rows = [places[cell["scorer"], image_set] for image_set in cell["sets"]]
    return columns[cell["metric"]][rows].mean(0, dtype=np.float64)


@cache
def _drawn(file: str) -> tuple[dict[tuple[str, str], int], dict[str, np.ndarray]]:
    """Rows by scorer and image set, and each metric's draws (rows, DRAWS)."""
    table = read_parquet(file)
    named = zip(table["scorer"].to_pylist(), table["image_set"].to_pylist(), strict=True)
    metrics = [name for name in table.column_names if name not in ("scorer", "image_set")]
    return {key: place for place, key in enumerate(named)}, {m: matrix(table[m]) for m in metrics}


def _values(cell: Mapping[str, Any]) -> list[float]:
    """One value a seed; the time of a synthesis is one value from many files."""
    files, artifact = cell["files"], METRICS[cell["metric"]].artifact
    if artifact == "outliers":
        return [_per_hundred(files)] if files else []
    return [READERS[artifact](cell, file) for file in files]


def _conformal(cell: Mapping[str, Any]) -> dict[str, float | None]:
    """Mean conformal bounds over sets and seeds; one set of ID scores bounds all sets of a seed."""
    ends = ("conformal_low", "conformal_high")
    if METRICS[cell["metric"]].bounds is None or not cell["files"]:
        return dict.fromkeys(ends)
    rows = [row for file in cell["files"] for row in _shown(cell, file)]
    names = bound_names(cell["metric"])
    return {
        end: statistics.fmean(row[name] for row in rows)
        for end, name in zip(ends, names, strict=True)
    }


def _block(cell: Mapping[str, Any]) -> dict[str, str | None]:
    """The block that a cell's scores are of, one for all seeds, and in whose place it was read."""
    keys = ("block", "instead_of")
    artifact = METRICS[cell["metric"]].artifact
    if artifact not in ("metrics", "latency") or not cell["files"]:
        return dict.fromkeys(keys)
    file = cell["files"][0]
    row = (_shown(cell, file) if artifact == "metrics" else _rows(file))[0]
    return {key: row[key] or None for key in keys}


def _equal(cell: Mapping[str, Any]) -> float | None:
    """Share of a cell's seeds and image sets whose scores are all equal; None: it has no scores."""
    if not METRICS[cell["metric"]].is_of_scores:
        return None
    return equal_share(
        [row for file in cell["files"] for row in _shown(cell, file)], cell["metric"]
    )
