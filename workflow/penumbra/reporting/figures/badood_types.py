"""Bad-OOD paper, Figures 3, 10 and 11: outliers of the three categories, with what they show."""

import textwrap
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from penumbra.images.classes import in_words
from penumbra.images.image_set import classes_of
from penumbra.outliers.categories import COVARIATE, SEMANTIC, SEVERE
from penumbra.reporting.drawing import bare, panels
from penumbra.reporting.outlier_images import OutlierSet, beside, places_of
from penumbra.store.artifacts import provenance_of, read_parquet

KINDS = {
    COVARIATE: "OOD-I\ncovariate shift",
    SEMANTIC: "OOD-II\nsemantic shift",
    SEVERE: "OOD-III\nsevere change",
}
LONGEST = 15  # characters of a line beside an image
ABSENT = "none in\nthe sample"


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """Rows: classes. Columns: an ID image, the anchor of the first outlier beside it, and one
    outlier of each category; under those of II and III the class that is recognised likeliest.
    """
    options = config["options"]
    outliers = OutlierSet(files["outliers"])
    rows = {name: row for row, name in enumerate(outliers.names)}
    recognised = read_parquet(files["categories"][0]).to_pylist()
    classes = classes_of(files["train"][0])
    labels = places_of(classes, options["classes"], options["places"])
    figure, axes = panels(len(labels), 4, 6, 1.65 * len(labels) + 0.9)
    for i, label in enumerate(labels):
        chosen = examples([row for row in recognised if row["label"] == label])
        line = axes[4 * i : 4 * i + 4]
        first = next(iter(chosen.values()), None)
        if first is None:
            _absent(line[0])
        else:
            shown = beside(files["train"][0], outliers, [rows[first["outlier"]]])
            line[0].imshow(shown[0].transpose(1, 2, 0))
        named = in_words([classes[label]], config["words"])[0]
        line[0].set_ylabel(textwrap.fill(named, LONGEST), fontsize=10)
        for axis, kind in zip(line[1:], KINDS, strict=True):
            if kind not in chosen:
                _absent(axis)
                continue
            axis.imshow(outliers.pixels(rows[chosen[kind]["outlier"]]).transpose(1, 2, 0))
            if kind != COVARIATE:
                axis.set_xlabel(seen(chosen[kind], config["words"]), fontsize=8)
    for axis, name in zip(axes, ("ID", *KINDS.values()), strict=False):
        axis.set_title(name, fontsize=9)
    for axis in axes:
        bare(axis)
    asked = provenance_of(files["categories"][0])["config"]
    figure.suptitle(
        f"{config['title']}\nrecognised by: {asked['recogniser']}, OOD-III below a probability of "
        f"{asked['threshold']:g}; {len(recognised)} outliers looked at",
        fontsize=9,
    )
    figure.tight_layout(pad=0.6)
    return figure


def examples(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The clearest outlier of each category that there is, in the order of categories.

    The recogniser's surest one, for OOD-III that in which it recognises least.
    """
    chosen = {}
    for kind in KINDS:
        of_kind = [row for row in rows if row["category"] == kind]
        if of_kind:
            clearest = min if kind == SEVERE else max
            chosen[kind] = clearest(of_kind, key=lambda row: (row["probability"], row["outlier"]))
    return chosen


def seen(row: dict[str, Any], words: dict[str, str]) -> str:
    """What the recogniser sees, in words where there are some, and how surely."""
    return f"{in_words([row['recognised']], words)[0]} ({row['probability']:.2f})"


def _absent(axis) -> None:
    axis.set_box_aspect(1)
    axis.text(0.5, 0.5, ABSENT, ha="center", va="center", fontsize=8, color="0.4")
