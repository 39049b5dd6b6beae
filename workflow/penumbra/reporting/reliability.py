"""The reliability diagram of a calibration, and where P(ID) of ID, OOD and outliers lies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.reporting.drawing import panels, save_png

NAMES = {
    "heldout": "held-out ID",
    "calibration_ood": "calibration OOD",
    "outlier": "outliers",
}
BINS = 20


def draw(summary: Mapping[str, Any], q: Mapping[str, np.ndarray], title: str, png: Path) -> None:
    """Left: observed share of ID by P(ID), dots as large as their bin. Right: histograms of P(ID).

    `summary` is what the calibration tells of itself; `q` holds P(ID) by role.
    """
    figure, (left, right) = panels(1, 2, 8.5, 3.4)
    rows = summary["reliability"]
    total = sum(row["count"] for row in rows)
    sizes = [15 + 250 * row["count"] / total for row in rows]
    left.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    left.scatter([r["confidence"] for r in rows], [r["frequency"] for r in rows], s=sizes, zorder=3)
    left.set(xlabel="P(ID)", ylabel="observed share of ID", xlim=(0, 1), ylim=(-0.03, 1.03))
    ece, outside = summary["quality"]["ece_width"], summary["held_out"]["ece_width"]
    left.set_title(f"ECE {ece:.3f}; fitted and measured on halves {outside:.3f}", fontsize=9)
    edges = np.linspace(0, 1, BINS + 1)
    for role, values in q.items():
        share = np.histogram(values, edges)[0] / len(values)
        right.stairs(share, edges, label=f"{NAMES[role]} ({len(values)})", linewidth=1.5)
    right.set(xlabel="P(ID)", ylabel="share", xlim=(0, 1))
    right.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    figure.tight_layout()
    save_png(figure, png)
