"""Data sets that lie as files under a data root, in the layouts of `penumbra.images.layout`."""

import functools
import io
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.classes import choose
from penumbra.images.encoded import Encoded, listed
from penumbra.images.entries import NO_LABEL, Entries, Entry
from penumbra.images.fit import FITS
from penumbra.images.layout import SUFFIXES, Location, files_below, locate, missing

Stored = Path | np.ndarray | Encoded  # a file, uint8 (H, W, 3), or a row of a Parquet file
Rows = Sequence[tuple[str, Stored, int]]  # origin, image, label


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """Locate, list, sample and count; an image is decoded and made square when it is asked for.

    Raises:
        PenumbraError: nothing is there, a class of the data set is missing, or the count is not
            the expected.
    """
    name, dataset, split = spec["dataset_name"], spec["dataset"], spec["split"]
    location = locate(name, dataset, split, root)
    if location is None and spec["download"] and root is not None:
        location = _download(name, dataset, split, root)
    if location is None:
        raise missing(name, dataset, split, root)
    found = _list(location, dataset, split, spec["size"])
    if "class_list" in dataset:
        file = f"config/classes/{dataset['classes_file']}.txt"
        found = choose(found, dataset["class_list"], f"data set {name} in {location.path}, {file}")
    found = _sample(found, dataset["splits"][split])
    if spec["count"] not in (None, len(found)):
        raise PenumbraError(
            f"image set {spec['name']}: {len(found)} images in {location.path}, expected "
            f"{spec['count']}; complete the data set, or state the number that you mean as "
            f"image_sets.{spec['name']}.count"
        )
    return found


def _list(location: Location, dataset: dict[str, Any], split: str, size: int) -> Entries:
    rows: Rows
    if location.layout == "parquet":
        rows, classes = listed(location.files)
    elif location.layout == "official" and "files" in dataset["official"]:
        rows, classes = _torchvision_rows(location.path.parent, dataset, split)
    else:
        rows, classes = _folder_rows(location.path, dataset.get("class_list"))
    fit = FITS[dataset.get("fit", "squash")]
    found = [
        Entry(origin, label, functools.partial(_pixels, origin, image, fit, size), place)
        for place, (origin, image, label) in enumerate(rows)
    ]
    return Entries(found, classes or [str(i) for i in range(dataset.get("classes", 0))])


def _folder_rows(folder: Path, class_list: list[str] | None) -> tuple[Rows, list[str]]:
    """Images by path; the folder that holds an image is its class."""
    names = [n for n in files_below(folder, class_list) if Path(n).suffix.lower() in SUFFIXES]
    holders = [os.path.dirname(name) for name in names]
    found = {os.path.basename(holder) for holder in holders if holder}
    if class_list is not None:  # so that an error knows the names of the folders left out
        found |= {path.name for path in folder.iterdir() if path.is_dir()}
    by_number = all(name.isdecimal() for name in found)
    classes = sorted(found, key=int if by_number else str)
    index = {name: i for i, name in enumerate(classes)}
    labels = (index.get(os.path.basename(holder), NO_LABEL) for holder in holders)
    return [(name, folder / name, y) for name, y in zip(names, labels, strict=True)], classes


def _torchvision_rows(folder: Path, dataset: dict[str, Any], split: str) -> tuple[Rows, list[str]]:
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


def _sample(found: Entries, split: dict[str, Any]) -> Entries:
    """The draw that FN's code makes from the sorted listing (random.seed(0); random.sample)."""
    if "sample" not in split or len(found) <= split["sample"]:
        return found
    return Entries(random.Random(0).sample(found.rows, split["sample"]), found.classes)


def _pixels(
    origin: str, image: Stored, fit: Callable[[Image.Image, int], Image.Image], size: int
) -> np.ndarray:
    """Decode to RGB and make it square: uint8 (3, size, size).

    Raises:
        PenumbraError: the image is unreadable.
    """
    try:
        if isinstance(image, np.ndarray):
            opened = Image.fromarray(image)
        else:
            file = image if isinstance(image, Path) else io.BytesIO(image.encoded())
            opened = Image.open(file)
        rgb = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        path = image if isinstance(image, Path) else origin
        raise PenumbraError(
            f"unreadable image {path}: {error}; replace the file, then call snakemake again"
        ) from error
    return np.asarray(fit(rgb, size)).transpose(2, 0, 1)
