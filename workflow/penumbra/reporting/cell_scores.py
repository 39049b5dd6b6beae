"""The scores behind one cell of a table: how far apart ID and OOD images lie, seed by seed."""

import math
import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS, RECALL, metrics
from penumbra.reporting.drawing import panels
from penumbra.reporting.tables.behind import files_behind, root_of
from penumbra.reporting.tables.render import number
from penumbra.reporting.tables.stored import Cell, find_cell
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import groups, numbers

BINS = (10, 60)  # at least and at most; in between twice the root of the smallest set's images
TAILS = 0.002  # share of each set's scores, at either end, that may lie beyond the axis
SETS = 10  # so many colours, and legible lines of a legend
WIDTH = 115  # letters of a line of the caption


class Scores(NamedTuple):
    """What one model's scorer gave: ID test images (n,), and OOD images (m,) by image set."""

    test: np.ndarray
    ood: dict[str, np.ndarray]


def draw(file: Path, row: str, column: str) -> Figure:
    """One panel a seed: the ID test images' scores, and those of each of the column's image sets.

    Raises:
        PenumbraError: as `find_cell`; the cell is not computed, or from no scores, or of too many
            image sets; the table is damaged or not where it was written; files behind it are gone,
            damaged, or others by now.
    """
    cell = find_cell(file, row, column)
    _check(file, cell)
    root, config = root_of(file), provenance_of(file)["config"]
    scored = [_scores(f, cell) for f in files_behind(file, root, cell.planned["files"])]
    figure, axes = panels(len(scored), 1, 8, 2.4 * len(scored) + 0.6)
    for axis, scores, seed, value in zip(
        axes, scored, config["seeds"], cell.numbers["values"], strict=True
    ):
        _panel(axis, scores)
        axis.set_title(
            f"seed {seed}: {METRICS[cell.numbers['metric']].head} "
            f"{number(value, cell.numbers['metric'])}",
            fontsize=9, loc="left",
        )  # fmt: skip
    axes[-1].set_xlabel(f"score of {cell.planned['scorer']}: larger is more ID")
    title = f"{cell.numbers['row_label']}, {cell.column_name} ({config['title']})"
    figure.suptitle(f"{title}\n{_caption()}", fontsize=9, x=0.02, ha="left")
    figure.tight_layout()
    return figure


def _check(file: Path, cell: Cell) -> None:
    metric, name = cell.numbers["metric"], f"{cell.numbers['row_label']}, {cell.column_name}"
    if not METRICS[metric].is_of_scores:
        raise PenumbraError(f"{file}: {name} is of {metric}, from no scores that could be drawn")
    if cell.numbers["mean"] is None:
        raise PenumbraError(f"{file}: {name} is not computed: {cell.numbers['missing']}")
    if len(cell.planned["sets"]) > SETS:
        raise PenumbraError(
            f"{file}: {name} is of {len(cell.planned['sets'])} image sets, more than the {SETS} "
            "that one picture can show; name a column of fewer"
        )


def _scores(file: Path, cell: Cell) -> Scores:
    """What `file`, metrics of a model, was made from of the cell's scorer and image sets."""
    scorer, root = cell.planned["scorer"], root_of(file)
    names = [name for name in provenance_of(file)["inputs"] if Path(name).stem == scorer]
    (scores,) = files_behind(file, root, names)
    root_of(scores)
    by_set = dict(groups(read_parquet(scores, ["image_set", "role", "score"]), "image_set"))
    test = [rows for rows in by_set.values() if rows["role"][0].as_py() == "test"]
    return Scores(
        np.concatenate([numbers(rows["score"]) for rows in test]),
        {name: numbers(by_set[name]["score"]) for name in cell.planned["sets"]},
    )


def _panel(axis: Axes, scores: Scores) -> None:
    every = [scores.test, *scores.ood.values()]
    bins = np.clip(2 * math.isqrt(min(map(len, every))), *BINS)
    edges = np.linspace(*_shown(every), bins + 1)
    axis.stairs(_shares(scores.test, edges), edges, fill=True, color="0.8", label="ID, test")
    for i, (name, values) in enumerate(scores.ood.items()):
        measured = metrics(scores.test, values)
        told = ", ".join(f"{METRICS[m].head} {number(measured[m], m)}" for m in ("fpr95", "auroc"))
        axis.stairs(_shares(values, edges), edges, color=f"C{i}", label=f"{name}: {told}")
    line = np.clip(_threshold(scores.test), edges[0], edges[-1])
    axis.axvline(line, color="black", linewidth=1, linestyle="--")
    axis.set_yticks([])
    axis.set_ylabel("share of images")
    axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def _shown(every: list[np.ndarray]) -> tuple[float, float]:
    """The ends of the axis: finite, apart, and all scores of each set between but for its tails."""
    finite = [values[np.isfinite(values)] for values in every]
    ends = [np.quantile(values, [TAILS, 1 - TAILS]) for values in finite if len(values)]
    low = min((float(low) for low, _ in ends), default=0.0)
    high = max((float(high) for _, high in ends), default=0.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of a set's images in each bin; what lies beyond the axis is in the outer ones."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)


def _threshold(test: np.ndarray) -> float:
    """The score that a share of the ID test images reach which is the nearest to 95 %."""
    accepted = max(1, math.floor(RECALL * len(test) + 0.5))
    return float(np.sort(test)[-accepted])


def _caption() -> str:
    return textwrap.fill(
        f"Grey are the ID test images; {100 * RECALL:g} % of them, as nearly as their number "
        "allows, lie at the dashed line or right of it, and what an OOD set has there is its "
        f"FPR95. Numbers are that seed's. Of each set up to {200 * TAILS:g} % lie beyond the axis, "
        "and count in its outer bins.",
        WIDTH,
    )
