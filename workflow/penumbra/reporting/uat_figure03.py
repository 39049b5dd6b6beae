"""UAT paper, Figure 3: t-SNE of penultimate features of test images under both networks."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

from penumbra.audit.artifacts import read_parquet
from penumbra.columns import groups, matrix, numbers
from penumbra.images.shards import evenly
from penumbra.reporting.drawing import bare, panels


def draw(files: dict[str, list[Path]], config: dict[str, Any]) -> Figure:
    """One panel a network, with silhouette and intra/inter-class distance in feature space."""
    options = config["options"]
    figure, axes = panels(1, 2, 9, 4.4)
    for axis, role, name in zip(axes, ("standard", "uat"), ("standard", "UAT"), strict=True):
        features, labels = _test_features(files[role][0], options["samples"])
        plane = TSNE(
            perplexity=options["perplexity"], init="pca", random_state=options["seed"], n_jobs=1
        ).fit_transform(features)
        axis.scatter(*plane.T, c=labels, cmap="tab10", s=6, linewidths=0)
        ratio = _compactness(features, labels)
        silhouette = silhouette_score(features, labels)
        axis.set_title(f"{name}: silhouette {silhouette:.3f}, intra/inter {ratio:.3f}", fontsize=9)
        bare(axis)
    figure.suptitle(config["title"])
    figure.tight_layout()
    return figure


def _test_features(file: Path, samples: int) -> tuple[np.ndarray, np.ndarray]:
    for _, part in groups(read_parquet(file), "image_set"):
        if part["role"][0].as_py() == "test":
            rows = evenly(len(part), samples)
            return matrix(part["features"])[rows], numbers(part["label"])[rows]
    raise ValueError(f"{file} holds no test images")


def _compactness(features: np.ndarray, labels: np.ndarray) -> float:
    """Mean distance to the own class centre over the mean distance between class centres."""
    classes = np.unique(labels)
    centres = np.stack([features[labels == c].mean(0) for c in classes])
    own = centres[np.searchsorted(classes, labels)]
    intra = np.linalg.norm(features - own, axis=1).mean()
    inter = np.linalg.norm(centres[:, None] - centres, axis=2)[
        np.triu_indices(len(classes), 1)
    ].mean()
    return float(intra / inter)
