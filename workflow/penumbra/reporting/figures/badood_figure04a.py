"""Bad-OOD paper, Figure 4a: how diverse outliers are, by what they are made with."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.evaluation.diversity import cross_category, jpeg_of_mean, mean_of_jpeg
from penumbra.images.image_set import classes_of, evenly
from penumbra.networks.inference import Reader, restore
from penumbra.reporting.bars import bars
from penumbra.reporting.drawing import panels
from penumbra.reporting.outlier_images import OutlierSet, anchor_pixels
from penumbra.store.artifacts import read_checkpoint

MEASURES = {
    "cross": ("across categories: distinct predictions\nper ID category", ".2f"),
    "mean": ("within: JPEG of the mean image, bytes\n(smaller = more diverse)", ".0f"),
    "each": ("within: mean size of the JPEGs, bytes\n(larger = more detail)", ".0f"),
}


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """One panel a measure, one bar an outlier set; error bars are deviations over categories."""
    options = config["options"]
    train = files["train"][0]
    classes = classes_of(train)
    checkpoint = read_checkpoint(files["recogniser"][0])
    known = len(checkpoint["model.fc.weight"])
    recogniser = _recogniser(checkpoint, known, config["networks"]["recogniser"])
    side = anchor_pixels(train, [0]).shape[-1]
    sets = {role: OutlierSet(files[role]) for role in options["sets"] if role in files}
    count = _common(sets.values(), len(classes), options["per_category"])
    measured = {
        role: _measured(
            _by_category(outliers, len(classes), count), outliers, recogniser, side, options
        )
        for role, outliers in sets.items()
    }
    figure, axes = panels(1, len(MEASURES), 3.9 * len(MEASURES), 3.7)
    for axis, (measure, (name, number)) in zip(axes, MEASURES.items(), strict=True):
        values = {role: measures[measure] for role, measures in measured.items()}
        bars(axis, options["sets"], values, config["labels"], config["missing"], number)
        axis.set_title(name, fontsize=9)
    figure.suptitle(
        f"{config['title']}\n{count} outliers of each of {len(classes)} "
        f"categories; the recogniser knows {known} classes; JPEG of "
        f"{options['size']} × {options['size']} pixels, quality {options['quality']}; "
        "± over categories",
        fontsize=9,
    )
    figure.tight_layout()
    return figure


def _common(sets: Iterable[OutlierSet], categories: int, most: int) -> int:
    """How many outliers of every category each set has, `most` at most.

    The measures grow with the number of images.

    Raises:
        PenumbraError: a set has none of one category, as where its outliers have no classes.
    """
    counts = []
    for outliers in sets:
        of = np.bincount(outliers.labels[outliers.labels >= 0], minlength=categories)
        if not of.min():
            without = int((outliers.labels < 0).sum())
            raise PenumbraError(
                f"figure: {outliers.files[0].parent}: of category {int(of.argmin())} it has no "
                f"outlier, and {without} without a class; name a set with outliers of all classes"
            )
        counts.append(int(of.min()))
    return min(most, *counts)


def _by_category(outliers: OutlierSet, categories: int, count: int) -> list[np.ndarray]:
    """`count` rows of every category, spread over it."""
    of_label = (np.flatnonzero(outliers.labels == label) for label in range(categories))
    return [rows[evenly(len(rows), count)] for rows in of_label]


def _measured(
    categories: list[np.ndarray],
    outliers: OutlierSet,
    recogniser: Reader,
    side: int,
    options: dict[str, Any],
) -> dict[str, tuple[float, float | None]]:
    """Mean and deviation of each measure; the first has no parts that could deviate."""
    predicted, means, each = [], [], []
    for rows in categories:
        pixels = np.stack([outliers.pixels(row, options["size"]) for row in rows])
        means.append(jpeg_of_mean(pixels, options["quality"]))
        each.append(mean_of_jpeg(pixels, options["quality"]))
        seen = np.stack([outliers.pixels(row, side) for row in rows])
        predicted.append(recogniser.outputs(seen)["logits"].argmax(1))
    return {
        "cross": (cross_category(np.concatenate(predicted), len(categories)), None),
        "mean": (float(np.mean(means)), float(np.std(means, ddof=1))),
        "each": (float(np.mean(each)), float(np.std(each, ddof=1))),
    }


def _recogniser(checkpoint: dict[str, Tensor], classes: int, network: dict[str, Any]) -> Reader:
    model = restore(network["backbone"], classes, checkpoint)
    return Reader(model, network["normalisation"], None, 64, torch.device("cpu"))
