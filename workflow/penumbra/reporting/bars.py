"""Bars with their numbers; where one is missing, the reason stands in its place."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

COLOURS = ("#2166ac", "#b2182b", "#4d9221", "#762a83", "#e08214")


def bars(
    axis,
    order: Sequence[str],
    values: Mapping[str, tuple[float, float | None]],
    labels: Mapping[str, str],
    missing: Mapping[str, str],
    number: str,
    most: float = np.inf,
) -> None:
    """One place a role in `order`: mean and deviation (None: not shown), or why there is none.

    `number` formats the mean that is written at the bar. Error bars end at 0 and at `most`, beyond
    which no value can lie; the deviation is written in full.
    """
    shown: dict[str, Any] = {"ha": "center", "va": "bottom"}
    ends = {role: _ends(mean, std, most) for role, (mean, std) in values.items()}
    top = max((high for _, high in ends.values()), default=1.0) or 1.0
    for x, role in enumerate(order):
        if role in missing:
            text = textwrap.fill(missing[role], 30)
            axis.text(x, 0.02 * top, text, rotation=90, fontsize=7, color="0.4", **shown)
            continue
        mean, std = values[role]
        low, high = ends[role]
        error = None if std is None else [[mean - low], [high - mean]]
        axis.bar(x, mean, 0.7, color=COLOURS[x % len(COLOURS)], yerr=error, capsize=4)
        written = f"{mean:{number}}" + (f" ± {std:{number}}" if std is not None else "")
        axis.text(x, high + 0.01 * top, written, fontsize=7.5, **shown)
    axis.set_xticks(range(len(order)), [textwrap.fill(labels.get(r, r), 12) for r in order])
    axis.tick_params(axis="x", labelsize=7.5)
    axis.set_xlim(-0.6, len(order) - 0.4)
    axis.set_ylim(0, 1.15 * top)


def _ends(mean: float, std: float | None, most: float) -> tuple[float, float]:
    """Lower and upper end of an error bar within 0 and `most`."""
    return max(mean - (std or 0), 0.0), min(mean + (std or 0), most)
