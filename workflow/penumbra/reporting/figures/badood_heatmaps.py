"""Bad-OOD paper, Figures 5 to 8: anomaly over the grid of semantic and covariate shift."""

import json
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from penumbra.calibration.inputs import COLUMNS
from penumbra.calibration.prior import under
from penumbra.errors import PenumbraError
from penumbra.evaluation.shift_grid import cell_means, rescaled, trends
from penumbra.images.image_set import classes_of
from penumbra.plugins import load
from penumbra.reporting.drawing import panels
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import groups, numbers

WIDTH = 4  # panels a row


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """One panel a score: mean anomaly of every cell, rescaled by the smallest and largest mean.

    Rows are semantic levels from the top down, columns covariate levels to the right; red is more
    anomalous. Below stand the rank correlations of the means with both levels.
    """
    order, norms = config["options"]["panels"], config["options"].get("norms", ())
    grid = files["grid"][0]
    classes = classes_of(grid)
    rows = -(-len(order) // WIDTH)
    height = 3.4 * rows + 0.8
    figure, axes = panels(rows, WIDTH, 3.2 * WIDTH + 1, height)
    figure.subplots_adjust(0.04, 0.75 / height, 0.92, 1 - 0.85 / height, 0.25, 0.4)
    scale = ScalarMappable(Normalize(0, 1), "RdBu_r")
    for axis, role in zip(axes, order, strict=False):
        axis.set_title(config["labels"].get(role, role), fontsize=10)
        if role in config["missing"]:
            _missing(axis, config["missing"][role])
            continue
        means = cell_means(*anomaly(files, role, grid.stem, role in norms), classes)
        axis.imshow(rescaled(means), cmap=scale.cmap, norm=scale.norm)
        _levels(axis, means)
    for axis in axes[len(order) :]:
        axis.set_axis_off()
    bar = figure.add_axes((0.94, 0.25, 0.012, 0.5))
    figure.colorbar(scale, cax=bar, label="red = more anomalous")
    figure.suptitle(
        f"{config['title']}\nmean anomaly of a cell's images (-score, a gradient's norm, 1 - q of "
        f"the beta score), rescaled to 0 to 1 over the {len(classes)} cells of a panel",
        fontsize=9,
    )
    return figure


def anomaly(
    files: dict[str, list[Path]], role: str, image_set: str, is_norm: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Anomaly (N,) and label (N,) of the images of the grid: -score, or 1 - q of a calibration.

    Of a gradient norm it is the score itself: the paper calls images of a larger one OOD, and
    GradNorm's authors (Huang et al. 2021) those of a smaller one.
    """
    file = files[role][0]
    if provenance_of(file)["rule"] in ("scores", "scores_network"):
        scores, labels = _scores(file, image_set)
        return scores if is_norm else -scores, labels
    energies = files["energy"][0]
    lse, labels = _scores(energies, image_set)
    return 1 - probability(-lse, file, energies), labels


def _scores(file: Path, image_set: str) -> tuple[np.ndarray, np.ndarray]:
    for name, rows in groups(read_parquet(file, ["image_set", "label", "score"]), "image_set"):
        if name == image_set:
            return numbers(rows["score"]), numbers(rows["label"])
    raise PenumbraError(f"{file}: holds no scores of the image set {image_set}")


def probability(energy: np.ndarray, calibration: Path, scores: Path) -> np.ndarray:
    """P(ID) (N,) of energies (N,), which `scores` holds, under a calibration of the same model.

    Raises:
        PenumbraError: the calibration is of another model, or maps another number than the energy.
    """
    made, scored = provenance_of(calibration), provenance_of(scores)
    same = [
        made["wildcards"][key] == scored["wildcards"][key] for key in ("recipe", "backbone", "seed")
    ]
    if not all(same) or scored["config"]["module"] != "energy":
        raise PenumbraError(
            f"{calibration}: calibrates the energy of another model than {scores} holds; give the "
            "figure both of one recipe, backbone and seed"
        )
    if COLUMNS[made["config"]["input"]] != "energy":
        raise PenumbraError(
            f"{calibration}: maps {made['config']['input']}, which images of the grid have no "
            "scores of; name a calibration with the input sigmoid_energy"
        )
    summary = json.loads(read_parquet(calibration, ["q"]).schema.metadata[b"calibration"])
    module = load("calibration.maps", made["config"]["module"])
    q = module.probability(energy, summary["parameters"])
    return under(made["config"]["prior"], q, summary["n_id"], summary["n_ood"])


def _levels(axis, means: np.ndarray) -> None:
    semantic, covariate = trends(means)
    axis.set_xticks(range(means.shape[1]))
    axis.set_yticks(range(means.shape[0]))
    axis.tick_params(length=0, labelsize=7)
    axis.set_ylabel("semantic shift (down)", fontsize=8)
    axis.set_xlabel(
        "covariate shift (right)\nrank correlation: "
        f"semantic {_signed(semantic)}, covariate {_signed(covariate)}",
        fontsize=8,
    )
    for spine in axis.spines.values():
        spine.set_visible(False)


def _signed(value: float) -> str:
    """Two digits with their sign; what rounds to zero is +0.00."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _missing(axis, reason: str) -> None:
    axis.set_box_aspect(1)
    axis.set_xticks([])
    axis.set_yticks([])
    text = textwrap.fill(f"not computed: {reason}", 26)
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=8, color="0.4")
    for spine in axis.spines.values():
        spine.set(visible=True, color="0.8")
