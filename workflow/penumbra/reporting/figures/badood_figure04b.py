"""Bad-OOD paper, Figure 4b: detection by what the outliers were made with."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from penumbra.reporting.bars import bars
from penumbra.reporting.drawing import panels
from penumbra.reporting.tables.values import of_scorer

METRICS = {"fpr95": "FPR95 (%), lower is better", "auroc": "AUROC (%), higher is better"}


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """FPR95 and AUROC: mean over the OOD image sets, then mean and deviation over seeds."""
    order = config["options"]["order"]
    figure, axes = panels(1, 2, 12, 4.2)
    for axis, (metric, name) in zip(axes, METRICS.items(), strict=True):
        values = {
            role: over_seeds(paths, config["scorers"][role], metric)
            for role, paths in files.items()
        }
        bars(axis, order, values, config["labels"], config["missing"], ".2f", 100)
        axis.set_title(name, fontsize=9)
    (role, first), *_ = files.items()
    sets = len(of_scorer(first[0], config["scorers"][role]))
    seeds = f"{len(first)} seeds" if len(first) > 1 else "1 seed"
    figure.suptitle(f"{config['title']}\nmean over {sets} OOD image sets; {seeds}", fontsize=9)
    figure.tight_layout()
    return figure


def over_seeds(files: list[Path], scorer: str, metric: str) -> tuple[float, float | None]:
    """Mean and deviation in percent over metrics files of one seed each; None for one seed."""
    means = [100 * np.mean([row[metric] for row in of_scorer(file, scorer)]) for file in files]
    return float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else None
