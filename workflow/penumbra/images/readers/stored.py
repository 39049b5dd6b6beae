"""Data sets that lie as files, in the layouts of `penumbra.images.layout`."""

import functools
import io
import os
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from penumbra import plugins
from penumbra.errors import PenumbraError
from penumbra.images import lists, pieces, square
from penumbra.images.classes import choose
from penumbra.images.cuts import Cut
from penumbra.images.decode import reason, rgb
from penumbra.images.encoded import Encoded, listed
from penumbra.images.entries import NO_LABEL, Address, Entries, Entry
from penumbra.images.fetching import fetched, published_by_torchvision
from penumbra.images.folders import Folder
from penumbra.images.layout import Location, locate, missing, without_images
from penumbra.images.listed import Listed, Rows, Stored, columns_not_read
from penumbra.images.names import (
    check_classes,
    check_text,
    in_order,
    quoted,
    readable,
)
from penumbra.images.originals import may_download

PLAIN = ("images", "image", "imgs", "img", "jpegimages")  # between a class folder and its images


def entries(spec: dict[str, Any], root: Path | None) -> Entries:
    """Locate, list, sample and count; an image is decoded and made square when it is asked for.

    Raises:
        PenumbraError: nothing is there, or no image, a class of the data set is missing, or the
            count is not the expected.
    """
    name, dataset, split = spec["dataset_name"], spec["dataset"], spec["split"]
    location = locate(name, dataset, split, root)
    if location is None and root is not None and may_download():
        location = fetched(name, dataset, split, root)
    if location is None:
        raise missing(name, dataset, split, root)
    given = entries_at(location, dataset, split, spec["folders"])
    where = readable(str(location.path))
    for told in filter(None, (given.more, *given.notes)):
        print(f"data set {name} in {where}: {told}", flush=True)
    if not given.rows:
        raise without_images(spec["name"], location)
    images = _classes(
        _entries(given, dataset, spec["size"]), dataset, f"data set {name} in {where}"
    )
    if dataset["labelled"]:
        images.check(spec["name"])
    images = _sample(images, dataset, split)
    # Of some class folders there is no number to hold against; each of them has an image.
    if (given.is_whole or "class_list" in dataset) and spec["count"] not in (None, len(images)):
        left_out = f", {given.more}" if given.more else ""
        raise PenumbraError(
            f"image set {spec['name']}: {len(images)} images in {where}{left_out}, "
            f"expected {spec['count']}; complete the data set, or state the number that you mean "
            f"as image_sets.{spec['name']}.count"
        )
    return images


def _entries(given: Listed, dataset: dict[str, Any], size: int) -> Entries:
    """Images as they are found, to be decoded at `size`."""
    way = dataset.get("square", square.DEFAULT)
    images = [
        Entry(
            origin,
            label,
            functools.partial(_pixels, origin, image, way, size),
            place,
            _address(image),
        )
        for place, (origin, image, label) in enumerate(given.rows)
    ]
    return Entries(images, given.classes or [str(i) for i in range(dataset.get("classes", 0))])


def _address(image: Stored) -> Address | None:
    if isinstance(image, Encoded):
        return Address(*image.group, image.row)
    return Address(image) if isinstance(image, Path) else None


def entries_at(
    location: Location,
    dataset: dict[str, Any],
    split: str,
    folders: Collection[str] | None = None,
) -> Listed:
    """Images as they lie there; of a folder those of the classes `folders`, where some are named.

    Raises:
        PenumbraError: what lies there is not whole, or of no kind that is read.
    """
    if location.layout == "parquet":
        pieces.check(location.files, split)
        rows, classes, unread = listed(location.files, dataset["labelled"])
        return Listed(rows, classes, notes=columns_not_read(unread))
    if location.layout == "list":
        stated = dataset.get("classes")
        images, classes, unread = lists.listed(location.path, dataset["labelled"], stated)
        return Listed(images, classes, notes=columns_not_read(unread))
    if location.layout == "file":
        raise PenumbraError(
            f"{readable(str(location.path))}: it is no folder of images, no .parquet, and no list "
            "(.txt, .csv); a `path` names one of these, or several Parquet files"
        )
    if location.layout == "published":
        return _published_rows(location.path, dataset, split)
    if location.layout == "official" and "files" in dataset["official"]:
        return Listed(*_torchvision_rows(location.path.parent, dataset, split))
    folder = Folder(location.path, dataset.get("class_list") or folders)
    folder.check()
    empty = [f"no images in {quoted(folder.empty)}: these are no classes"] if folder.empty else []
    notes = empty if dataset["labelled"] else ()
    return Listed(*_folder_rows(folder), folder.left_out(), not folder.passed, notes)


def _folder_rows(folder: Folder) -> tuple[Rows, list[str]]:
    """Images by path; the folder that holds an image is its class."""
    check_text(folder.names, folder.path)
    held = [os.path.basename(folder_of(name)) for name in folder.names]
    class_names = set(filter(None, held))
    check_classes(sorted(class_names), folder.path)
    classes = in_order(class_names | folder.passed)
    index = {name: i for i, name in enumerate(classes)}
    rows = [
        (name, folder.path / name, index.get(holder, NO_LABEL))
        for name, holder in zip(folder.names, held, strict=True)
    ]
    return rows, classes


def folder_of(name: str) -> str:
    """The folder of an image; where that only says `images`, the one that it lies in."""
    folder = os.path.dirname(name)
    outer, _, last = folder.rpartition("/")
    return outer if outer and last.lower() in PLAIN else folder


def _classes(images: Entries, dataset: dict[str, Any], where: str) -> Entries:
    """The classes that the catalogue states, by their names; none is missing or too many.

    Raises:
        PenumbraError: naming the classes that were found.
    """
    if "class_list" in dataset:
        file = f"config/classes/{dataset['classes_file']}.txt"
        return choose(images, dataset["class_list"], f"{where}, {file}")
    if not dataset["labelled"]:
        return images
    if not images.rows:  # the image set's own check says so
        return images
    without = [row.origin for row in images.rows if row.label == NO_LABEL]
    names, wanted = images.classes, dataset.get("classes")
    if len(without) == len(images):
        names = []
    if wanted not in (None, len(names)) or not names:
        has = f"{len(names)} classes, {quoted(names)}," if names else "no classes (0)"
        raise PenumbraError(
            f"{where}: it has {has} and the catalogue states {wanted or 'no number of them'}; put "
            "one folder a class there (or the class names into the Parquet file's metadata), or "
            "state the right number as `classes`"
        )
    if without:
        raise PenumbraError(
            f"{where}: {quoted(without)} without a class among classes; put every image into the "
            "folder of its class"
        )
    numbers = [str(number) for number in range(len(names))]
    return Entries(images.rows, dataset.get("class_names", names)) if names == numbers else images


def _published_rows(place: Path, dataset: dict[str, Any], split: str) -> Listed:
    """Images in a layout of the publisher's own, listed by a module of `images/published`."""
    official, own = dataset["official"], dataset["splits"][split]
    reader = plugins.load("images.published", official["reads"])
    return reader.listed(place, split, **official.get("options", {}), **own.get("options", {}))


def _torchvision_rows(folder: Path, dataset: dict[str, Any], split: str) -> tuple[Rows, list[str]]:
    published = published_by_torchvision(dataset, split, folder, download=False)
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


def _sample(images: Entries, dataset: dict[str, Any], split: str) -> Entries:
    """The draw that FN's code makes from the sorted listing (random.seed(0); random.sample)."""
    count = dataset["splits"][split].get("sample", len(images))
    if len(images) <= count:
        return images
    return Entries(random.Random(0).sample(images.rows, count), images.classes)


def _pixels(origin: str, image: Stored, way: str, size: int) -> np.ndarray:
    """Decode to RGB and make it square: uint8 (3, size, size).

    Raises:
        PenumbraError: the image is unreadable.
    """
    try:
        if isinstance(image, np.ndarray):
            opened = Image.fromarray(image).convert("RGB")
        elif isinstance(image, Cut):
            opened = image.image()
        else:
            opened = rgb(image if isinstance(image, Path) else io.BytesIO(image.encoded()))
        return square.pixels(opened, way, size)
    except Exception as error:  # decoders raise anything where bytes are damaged
        path = image if isinstance(image, Path) else origin
        inside = f" {image.group.file}" if isinstance(image, Encoded) else ""
        inside = f" {image.file}" if isinstance(image, Cut) else inside
        raise PenumbraError(
            f"unreadable image {path}: {reason(error)}; replace the file{inside}, "
            "then call snakemake again"
        ) from error
