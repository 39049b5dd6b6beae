"""Bad-OOD paper, Figures 2 and 9: ID images and outliers made around them, with their P(ID)."""

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from penumbra.errors import PenumbraError
from penumbra.images.classes import in_words
from penumbra.images.image_set import classes_of, evenly
from penumbra.reporting.drawing import bare, panels
from penumbra.reporting.outlier_images import OutlierSet, beside, places_of
from penumbra.store.artifacts import provenance_of, read_parquet
from penumbra.store.columns import numbers

SIDE = 1.0  # inches of one image
LONGEST = 12  # characters of a line beside it


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """Per class an ID image, then outliers from the largest q to the smallest.

    The outliers are spread evenly over their class in the order of q; the ID image is the anchor of
    the first, where outliers have anchors. More `samples` than `columns` fill further rows.
    """
    options = config["options"]
    outliers = OutlierSet(files["outliers"])
    q = scores_of(files["calibration"][0], outliers.names)
    classes = classes_of(files["train"][0])
    columns = min(options["columns"], options["samples"])
    shown = []
    for label in places_of(classes, options["classes"], options["places"]):
        rows = spread(q, np.flatnonzero(outliers.labels == label), options["samples"])
        if not len(rows):
            raise PenumbraError(f"figure: the outlier set has none of class {classes[label]}")
        lines = [rows[i : i + columns] for i in range(0, len(rows), columns)]
        named = in_words([classes[label]], config["words"])[0]
        shown += [(named if not i else "", line) for i, line in enumerate(lines)]
    anchors = beside(files["train"][0], outliers, [line[0] for _, line in shown])
    size = ((columns + 1) * SIDE + 0.6, len(shown) * SIDE + 0.7)
    figure, axes = panels(len(shown), columns + 1, *size)
    for axis in axes:
        axis.set_axis_off()
    for i, (name, line) in enumerate(shown):
        places = axes[i * (columns + 1) : (i + 1) * (columns + 1)]
        if name:
            picture(places[0], anchors[i])
            places[0].set_ylabel(textwrap.fill(name, LONGEST), fontsize=10)
        for axis, row in zip(places[1:], line, strict=False):
            picture(axis, outliers.pixels(row))
            corner(axis, written(q[row]))
    axes[0].set_title("ID", fontsize=10)
    calibrated = provenance_of(files["calibration"][0])["wildcards"]
    figure.suptitle(
        f"{config['title']}\nnumber: q = P(ID) by {calibrated['calibration']} calibration of "
        f"{calibrated['recipe']}; larger = closer to ID",
        fontsize=9,
    )
    figure.tight_layout(pad=0.3)
    return figure


def scores_of(calibration: Path, names: list[str]) -> np.ndarray:
    """P(ID) (N,) of the outliers `names`.

    Raises:
        PenumbraError: the calibration did not see one of them.
    """
    rows = read_parquet(calibration, ["outlier", "q"])
    q = dict(zip(rows["outlier"].to_pylist(), numbers(rows["q"]), strict=True))
    unseen = [name for name in names if name not in q]
    if unseen:
        raise PenumbraError(
            f"{calibration}: outlier {unseen[0]!r} is not among those that it scored; name the "
            "calibration of a detector that was trained on this outlier set"
        )
    return np.array([q[name] for name in names])


def spread(q: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """`count` of the rows, evenly over their order by q (N,), from the largest down."""
    ordered = rows[np.argsort(-q[rows], kind="stable")]
    return ordered[evenly(len(ordered), count)]


def written(q: float) -> str:
    """Two digits; an outlier of the detector's own training has a q near 0."""
    return f"{q:.2f}" if q >= 0.01 else f"{q:.0e}".replace("e-0", "e-")


def picture(axis, pixels: np.ndarray) -> None:
    """An image uint8 (3, H, W) without axes."""
    axis.set_axis_on()
    axis.imshow(pixels.transpose(1, 2, 0))
    bare(axis)


def corner(axis, text: str) -> None:
    """Text in the upper right corner of an image, legible on any."""
    box = {"facecolor": "black", "alpha": 0.7, "pad": 1.2, "linewidth": 0}
    axis.text(
        0.97, 0.96, text, ha="right", va="top", color="white", fontsize=8, bbox=box,
        transform=axis.transAxes,
    )  # fmt: skip
