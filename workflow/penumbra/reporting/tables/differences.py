"""Two cells of a stored table, one less the other, and how sure the difference is."""

from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.evaluation.intervals import Sample, interval
from penumbra.evaluation.metrics import METRICS, PERCENT
from penumbra.evaluation.resampling import draws_of
from penumbra.reporting.tables.behind import files_behind, root_of
from penumbra.reporting.tables.render import number
from penumbra.reporting.tables.stored import Cell, find_cell
from penumbra.reporting.tables.values import sample_of
from penumbra.store.artifacts import provenance_of


def difference(file: Path, cell: tuple[str, str], other: tuple[str, str]) -> str:
    """`cell` less `other`, each a row and a column: mean, interval and p-value, and each seed's.

    It is taken seed by seed and, of scores, draw by draw of the same test images, so that what both
    cells share cancels (see `intervals`). Nothing is moderated or corrected for other pairs.

    Raises:
        PenumbraError: as `find_cell`; the cells are of two metrics, or one is not computed; the
            table is damaged or not where it was written; files behind it are gone, damaged, or
            others by now.
    """
    left, right = find_cell(file, *cell), find_cell(file, *other)
    _comparable(file, left, right)
    root, config = root_of(file), provenance_of(file)["config"]
    sample = _sample(file, root, left).less(_sample(file, root, right))
    lines = [f"table      {config['title']}", _headed("cell", left), _headed("less", right)]
    return "\n".join(lines + told(sample, left, config))


def _comparable(file: Path, left: Cell, right: Cell) -> None:
    for one in (left, right):
        if one.numbers["mean"] is None:
            reason = one.numbers["missing"]
            raise PenumbraError(f"{file}: {_name(one)} is not computed: {reason}")
    metrics = [one.numbers["metric"] for one in (left, right)]
    if len({*metrics}) > 1:
        raise PenumbraError(
            f"{file}: {_name(left)} is of {metrics[0]}, {_name(right)} of {metrics[1]}; "
            "a difference is of one metric"
        )


def _sample(file: Path, root: Path, cell: Cell) -> Sample:
    """A cell's values and draws, from the files below `root` that the table was made from."""
    names = cell.planned["files"]
    draws = [draws_of(Path(name)) for name in names] if _is_of_scores(cell) else []
    there = files_behind(file, root, [*names, *map(str, draws)])[: len(names)]
    return sample_of({**cell.planned, "files": [*map(str, there)]})


def _is_of_scores(cell: Cell) -> bool:
    return METRICS[cell.numbers["metric"]].is_of_scores


def _name(cell: Cell) -> str:
    return f"{cell.numbers['row_label']}, {cell.column_name}"


def _headed(role: str, cell: Cell) -> str:
    shown = number(cell.numbers["mean"], cell.numbers["metric"])
    return f"{role:<10} {shown}  {_name(cell)}"


def _signed(value: float, metric: str) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value), metric)}"


def told(sample: Sample, cell: Cell, config: dict[str, Any]) -> list[str]:
    """Lines on a difference of two cells, of which `cell` is one: mean, interval, each seed's."""
    metric, level = cell.numbers["metric"], config["confidence"]
    is_share = METRICS[metric].form == PERCENT
    unit = " points" if is_share else ""
    lines = [f"difference {_signed(float(sample.values.mean()), metric)}{unit}"]
    between = interval(sample)
    if between is None:
        lines.append("interval   none: not finite under some resamples")
    elif between.error == 0:
        lines.append("interval   none: neither seeds nor test images say how far it is by chance")
    else:
        low, high = between.bounds(level)
        if is_share:  # shares lie in [0, 1]
            low, high = max(-1.0, low), min(1.0, high)
        ends = f"{_signed(low, metric)} to {_signed(high, metric)}"
        lines.append(f"interval   {ends}  at {100 * level:g} %, {_over(sample, cell)}")
        lines.append(f"p-value    {between.p_value():.2g}  two-sided, of this pair alone")
    if len(cell.planned["files"]) != len(sample.values):
        return lines  # one value from the records of many jobs, of no seed
    # What is of the first seed alone, as seconds an image, has one value.
    for seed, value in zip(config["seeds"], sample.values.tolist(), strict=False):
        lines.append(f"seed {seed:<5} {_signed(value, metric)}")
    return lines


def _over(sample: Sample, cell: Cell) -> str:
    seeds = len(sample.values)
    if not _is_of_scores(cell):
        return f"over {seeds} seeds"
    return f"over test images and {seeds} seeds" if seeds > 1 else "over test images alone"
