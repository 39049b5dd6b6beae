"""Figures whose bytes depend on their content alone."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from penumbra.store.files import atomic

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 120,
    "savefig.bbox": "tight",
    "svg.hashsalt": "penumbra",
    "svg.fonttype": "none",
}


def panels(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list]:
    """A figure of rows × columns axes, the axes in reading order."""
    plt.rcParams.update(STYLE)  # type: ignore[arg-type]
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    return figure, list(axes.ravel())


def save(figure: Figure, png: Path, svg: Path) -> None:
    """Write both files, without dates."""
    with atomic(svg) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
    save_png(figure, png)


def save_png(figure: Figure, png: Path) -> None:
    """Write the picture and forget the figure."""
    with atomic(png) as temporary:
        figure.savefig(temporary, format="png", dpi=160)
    plt.close(figure)


def bare(axis) -> None:
    """No ticks and no frame: the axis shows a picture."""
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
