"""The scorers of a table ranked over its OOD image sets: a critical-difference diagram."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from scikit_posthocs import critical_difference_diagram

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.evaluation.ranks import LEAST, Ranking, ranking
from penumbra.reporting.drawing import panels
from penumbra.reporting.tables.by_set import BySet, by_set
from penumbra.reporting.tables.marks import MARKS

INCHES = 0.2  # of a line
WIDTH = 110  # letters of a line of the caption
ABOVE = 1.5  # where the critical difference stands, in lines over the axis of ranks


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """One panel a metric; a block is an OOD image set, its values means over seeds.

    Raises:
        PenumbraError: the table has too few scorers or image sets to rank.
    """
    names = config["options"]["metrics"]
    read = {name: by_set(files["table"][0], name) for name in names}
    for name, shown in read.items():
        if shown.means.shape[0] < LEAST[1] or shown.means.shape[1] < LEAST[0]:
            sets, scorers = shown.means.shape
            raise PenumbraError(
                f"figure: of {name} its table has {scorers} scorers on {sets} single image sets; "
                f"ranks are of {LEAST[0]} scorers and {LEAST[1]} sets at least: let a column of "
                "the table say `sets: each`, or name another table"
            )
    first = read[names[0]]
    lines = first.means.shape[1] + 8
    figure, axes = panels(len(names), 1, 8, len(names) * INCHES * lines)
    for axis, name in zip(axes, names, strict=True):
        shown = read[name]
        high = METRICS[name].better == "high"
        _panel(axis, name, ranking(shown.means, high, shown.level), shown.level)
    figure.suptitle(_caption(config["title"], first), fontsize=9, x=0.02, ha="left")
    figure.tight_layout()
    return figure


def _panel(axis, name: str, result: Ranking, level: float) -> None:
    scorers = len(result.means)
    axis.set_xlim(0.5, scorers + 0.5)
    axis.set_xticks(range(1, scorers + 1))
    drawn = critical_difference_diagram(
        result.means, result.pairs, alpha=1 - level, ax=axis,
        label_fmt_left="{label}  {rank:.2f} ", label_fmt_right=" {rank:.2f}  {label}",
        elbow_props={"color": "0.2", "linewidth": 0.8},
        label_props={"fontsize": 8},
        marker_props={"color": "#2166ac", "s": 18},
        crossbar_props={"color": "#b2182b", "linewidth": 2.5},
    )  # fmt: skip
    for (bar,) in drawn["crossbars"]:  # its points come in the order of a set of texts
        bar.set_xdata(np.sort(bar.get_xdata()))
    axis.spines["top"].set_visible(True)
    axis.plot([1, 1 + result.critical], [ABOVE, ABOVE], "k|-", linewidth=1)
    critical = f" critical difference {result.critical:.2f}"
    axis.text(1 + result.critical, ABOVE, critical, fontsize=8, va="center")
    told = "" if result.p_value <= 1 - level else ", so that no pair is tested"
    axis.set_title(
        f"{METRICS[name].title}: Friedman's test p = {result.p_value:.2g}{told}", fontsize=9
    )


def _caption(title: str, shown: BySet) -> str:
    sets, scorers = shown.means.shape
    seeds = f"{len(shown.seeds)} seeds" if len(shown.seeds) > 1 else "1 seed"
    text = (
        f"From {shown.title}: {scorers} scorers, ranked on each of {sets} OOD image sets by their "
        f"mean over {seeds}; rank 1 is the best. A red bar joins scorers that Nemenyi's test does "
        f"not tell apart at {100 * shown.level:g} %. A block is an image set: so few can tell only "
        "large differences, and as they share networks and ID images, the tests are surer than "
        "they should be."
    )
    if shown.left_out:
        text += f" Not ranked, as they are not computed: {', '.join(shown.left_out)}."
    for mark in sorted({label[-1] for label in shown.means if label[-1] in MARKS}):
        text += f" {mark} {MARKS[mark]}"
    return f"{title}\n{textwrap.fill(text, WIDTH)}"
