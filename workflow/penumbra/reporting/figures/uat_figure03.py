"""UAT paper, Figure 3: t-SNE of penultimate features of test images under both networks."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from penumbra.errors import PenumbraError
from penumbra.evaluation.theory import separation
from penumbra.images.image_set import classes_of, evenly
from penumbra.reporting.drawing import bare, panels
from penumbra.store import seals
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import groups, matrix, numbers

NAMED = 20  # classes that a legend has room and colours for


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """One panel a network, with silhouette and intra/inter-class distance in feature space.

    The legend names the classes; of more than NAMED the title says how many colours there are.
    """
    options = config["options"]
    classes = classes_of(files["test"][0])
    figure, axes = panels(1, 2, 9, 4.8)
    for axis, role, name in zip(axes, ("standard", "uat"), ("standard", "UAT"), strict=True):
        features, labels = _test_features(files[role][0], options["samples"])
        plane = TSNE(
            perplexity=options["perplexity"], init="pca", random_state=options["seed"], n_jobs=1
        ).fit_transform(features)
        points(axis, plane, labels, classes)
        ratio = separation(features, labels)["intra_inter"]
        silhouette = silhouette_score(features, labels)
        axis.set_title(f"{name}: silhouette {silhouette:.3f}, intra/inter {ratio:.3f}", fontsize=9)
        bare(axis)
    many = f"; a colour for each of {len(classes)} classes" if len(classes) > NAMED else ""
    figure.suptitle(config["title"] + many)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    if not many:
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="lower center", ncols=min(len(names), 10), frameon=False,
            fontsize=8, markerscale=2.5, columnspacing=1.2, handletextpad=0.2,
        )  # fmt: skip
    return figure


def points(axis, plane: np.ndarray, labels: np.ndarray, classes: list[str]) -> None:
    """Scatter points (N, 2) of labels (N,), a colour a class."""
    many = len(classes) > NAMED
    palette = plt.get_cmap("hsv" if many else "tab10" if len(classes) <= 10 else "tab20")
    for label in np.unique(labels):
        colour = palette(label / len(classes)) if many else palette(int(label))
        own = plane[labels == label]
        axis.scatter(*own.T, color=[colour], s=6, linewidths=0, label=classes[label])


def _test_features(file: Path, samples: int) -> tuple[np.ndarray, np.ndarray]:
    for _, images in groups(read_parquet(file), "image_set"):
        if images["role"][0].as_py() == "test":
            rows = evenly(len(images), samples)
            return matrix(images["features"])[rows], numbers(images["label"])[rows]
    raise PenumbraError(f"{file} holds no test images; {seals.remake(file)}")
