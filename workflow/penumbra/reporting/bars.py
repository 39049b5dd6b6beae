"""Bars with their numbers; where one is missing, the reason stands in its place."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = ("#2166ac", "#b2182b", "#4d9221", "#762a83", "#e08214")


def bars(
    axis,
    order: Sequence[str],
    values: Mapping[str, tuple[float, float | None]],
    labels: Mapping[str, str],
    missing: Mapping[str, str],
    number: str,
) -> None:
    """One place a role in `order`: mean and deviation (None: not shown), or why there is none.

    `number` formats the mean that is written at the bar.
    """
    shown: dict[str, Any] = {"ha": "center", "va": "bottom"}
    top = max((mean + (std or 0) for mean, std in values.values()), default=1.0) or 1.0
    for x, role in enumerate(order):
        if role in missing:
            text = textwrap.fill(missing[role], 30)
            axis.text(x, 0.02 * top, text, rotation=90, fontsize=7, color="0.4", **shown)
            continue
        mean, std = values[role]
        axis.bar(x, mean, 0.7, color=COLOURS[x % len(COLOURS)], yerr=std, capsize=4)
        written = f"{mean:{number}}" + (f" ± {std:{number}}" if std is not None else "")
        axis.text(x, mean + (std or 0) + 0.01 * top, written, fontsize=7.5, **shown)
    axis.set_xticks(range(len(order)), [textwrap.fill(labels.get(r, r), 12) for r in order])
    axis.tick_params(axis="x", labelsize=7.5)
    axis.set_xlim(-0.6, len(order) - 0.4)
    axis.set_ylim(0, 1.15 * top)
