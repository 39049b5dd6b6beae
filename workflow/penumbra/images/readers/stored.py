"""Data sets that lie as files under a data root, in the layouts of `penumbra.images.layout`."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.layout import SUFFIXES, Location, locate, missing
from penumbra.images.shards import NO_LABEL, ImageSet, of_rows
from penumbra.seeds import derive

Row = tuple[str, Any, int]  # origin, encoded bytes | path | uint8 HWC array, label


def read(spec: dict[str, Any], root: Path | None) -> ImageSet:
    """Locate, list, sample, decode and squash to (size, size), as Yu et al. (2023) do.

    Raises:
        PenumbraError: nothing is there, an image is unreadable, or the count is not the expected.
    """
    name, dataset, split = spec["dataset_name"], spec["dataset"], spec["split"]
    location = locate(name, dataset, split, root)
    if location is None and spec["download"] and root is not None:
        location = _download(name, dataset, split, root)
    if location is None:
        raise missing(name, dataset, split, root)
    rows, classes = _list(location, dataset, split)
    rows = _sample(rows, dataset["splits"][split])
    if len(rows) != spec["count"]:
        raise PenumbraError(
            f"image set {spec['name']}: {len(rows)} images in {location.path}, expected "
            f"{spec['count']}; complete the data set, or state the number that you mean as "
            f"image_sets.{spec['name']}.count"
        )
    rows = _limit(rows, spec)
    if not dataset["labelled"]:
        rows, classes = [(origin, image, NO_LABEL) for origin, image, _ in rows], []
    decoded = (
        (origin, _pixels(origin, image, spec["size"]), label) for origin, image, label in rows
    )
    return of_rows(decoded, classes)


def _list(location: Location, dataset: dict[str, Any], split: str) -> tuple[list[Row], list[str]]:
    if location.layout == "parquet":
        rows, classes = _parquet_rows(location.files)
    elif location.layout == "official" and "files" in dataset["official"]:
        rows, classes = _torchvision_rows(location.path.parent, dataset, split)
    else:
        rows, classes = _folder_rows(location.path)
    return rows, classes or [str(i) for i in range(dataset.get("classes", 0))]


def _parquet_rows(files: tuple[Path, ...]) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    classes: list[str] = []
    for file in files:
        table = pq.read_table(file)
        names = (table.schema.metadata or {}).get(b"classes", b"").decode()
        classes = names.split(",") if names else classes
        labels = (
            table["label"].to_pylist() if "label" in table.column_names else [NO_LABEL] * len(table)
        )
        for i, (image, label) in enumerate(zip(table["image"].to_pylist(), labels, strict=True)):
            rows.append((f"{file.name}[{i}] {image['path'] or ''}".strip(), image["bytes"], label))
    return rows, classes


def _folder_rows(folder: Path) -> tuple[list[Row], list[str]]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    classes = sorted({p.relative_to(folder).parts[0] for p in paths if p.parent != folder})
    index = {name: i for i, name in enumerate(classes)}
    rows = [
        (str(p.relative_to(folder)), p, index.get(p.relative_to(folder).parts[0], NO_LABEL))
        for p in paths
    ]
    return rows, classes


def _torchvision_rows(
    folder: Path, dataset: dict[str, Any], split: str
) -> tuple[list[Row], list[str]]:
    published = _torchvision(dataset, split, folder, download=False)
    arrays = published.data
    if arrays.shape[1] == 3:  # SVHN stores channels first
        arrays = arrays.transpose(0, 2, 3, 1)
    labels = getattr(published, "targets", None)
    labels = published.labels if labels is None else labels
    name = dataset["official"]["torchvision"]
    rows = [
        (f"{name}/{split}[{i}]", a, int(y))
        for i, (a, y) in enumerate(zip(arrays, labels, strict=True))
    ]
    return rows, list(getattr(published, "classes", []))


def _torchvision(dataset: dict[str, Any], split: str, folder: Path, download: bool) -> Any:
    import torchvision.datasets  # seconds to import; only this layout needs it

    published = getattr(torchvision.datasets, dataset["official"]["torchvision"])
    try:
        # Verifies checksums before it unpickles anything.
        return published(folder, download=download, **dataset["official"]["arguments"][split])
    except RuntimeError as error:
        raise PenumbraError(f"{dataset['title']} in {folder}: {error}") from error


def _download(name: str, dataset: dict[str, Any], split: str, root: Path) -> Location | None:
    if "torchvision" not in dataset.get("official", {}):
        return None
    _torchvision(dataset, split, root, download=True)
    return locate(name, dataset, split, root)


def _sample(rows: list[Row], split: dict[str, Any]) -> list[Row]:
    """The draw that FN's code makes from the sorted listing (random.seed(0); random.sample)."""
    if "sample" not in split or len(rows) <= split["sample"]:
        return rows
    return random.Random(0).sample(rows, split["sample"])


def _limit(rows: list[Row], spec: dict[str, Any]) -> list[Row]:
    """At most `limit` rows, equally many of each class, drawn by the image set's name."""
    if spec["limit"] is None or spec["limit"] >= len(rows):
        return rows
    labels = np.array([row[2] for row in rows])
    order = np.random.default_rng(derive("limit", spec["name"])).permutation(len(rows))
    rank = np.empty(len(rows), dtype=np.int64)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    chosen = np.lexsort((order, rank))[: spec["limit"]]
    return [rows[i] for i in np.sort(chosen)]


def _pixels(origin: str, image: Any, size: int) -> np.ndarray:
    """Decode to RGB and squash to (3, size, size): bilinear with antialiasing, aspect ignored."""
    try:
        if isinstance(image, np.ndarray):
            opened = Image.fromarray(image)
        else:
            opened = Image.open(io.BytesIO(image) if isinstance(image, bytes) else image)
        rgb = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        path = image if isinstance(image, Path) else origin
        raise PenumbraError(
            f"unreadable image {path}: {error}; replace the file, then call snakemake again"
        ) from error
    if rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(rgb).transpose(2, 0, 1)
