"""Where the files of a data set lie: in any of four layouts under a data root, or at a path.

official   the files as published, read by torchvision or as the published folder
published  the same, read by a module of `penumbra.images.published`
folder     <folder>/<split>/ with images, in class folders or flat
parquet    <folder>/<split>.parquet or <split>-*.parquet, columns image{bytes,path} and label

<folder> is the data set's name, unless its catalogue entry says otherwise. A split that names its
`path`, below the data root or absolute, lies there and nowhere else: a folder of images, Parquet
files, or a list of images (`penumbra.images.lists`).
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images import lists
from penumbra.images.folders import Folder
from penumbra.images.names import SUFFIXES, is_left_out, readable, suffix
from penumbra.images.pieces import of_split
from penumbra.seeds import derive


@dataclass(frozen=True)
class Location:
    """A data set found: its layout, and the folder or files that hold it."""

    layout: str  # official | published | folder | parquet | list | file: none of these
    path: Path
    files: tuple[Path, ...] = ()  # watched for changes; a folder's images are not


def candidates(
    name: str, dataset: dict[str, Any], split: str, root: Path
) -> list[tuple[str, Path]]:
    """Every place that is looked at, in order, for a split that names none itself."""
    official = dataset.get("official", {})
    places = []
    for entry in official.get("files", {}).get(split, []):
        places += [("official", root / entry), ("official", root / name / entry)]
    places += [("official", root / folder) for folder in official.get("folders", {}).get(split, [])]
    places += [("published", root / place) for place in official.get("places", [])]
    own = root / dataset.get("folder", name)
    places.append(("folder", own / split))
    places.append(("parquet", own / f"{split}.parquet"))
    places.append(("parquet", own / f"{split}-*.parquet"))
    return places


def can_fetch(dataset: Mapping[str, Any]) -> bool:
    """Whether torchvision has an address of a data set."""
    return "torchvision" in dataset.get("official", {})


def named(dataset: dict[str, Any], split: str) -> list[str]:
    """The paths that a split names itself; one, or several Parquet files."""
    path = dataset["splits"].get(split, {}).get("path", [])
    return [path] if isinstance(path, str) else path


def locate(name: str, dataset: dict[str, Any], split: str, root: Path | None) -> Location | None:
    """The first layout that is there, or None."""
    paths = named(dataset, split)
    if paths:
        places = _places(paths, root)
        return _at(places) if places else None
    if root is None:
        return None
    for layout, path in candidates(name, dataset, split, root):
        if layout == "parquet":
            pieces = of_split(sorted(path.parent.glob(path.name)), split, dataset["splits"])
            if pieces:
                return Location(layout, path.parent, pieces)
        elif _is_there(path):
            of_files = "files" in dataset.get("official", {}) and layout == "official"
            is_one_file = (of_files or layout == "published") and path.is_file()
            files = (path,) if is_one_file else ()
            return Location(layout, path, files)
    return None


def _places(paths: list[str], root: Path | None) -> list[Path]:
    """Where the paths of a split lie; nothing where one is relative and there is no data root."""
    if root is None and not all(map(os.path.isabs, paths)):
        return []
    return [(root or Path()) / path for path in paths]


def _at(places: list[Path]) -> Location | None:
    """What lies at the places that a split names; None where nothing lies at one of them."""
    if not all(map(_is_there, places)):
        return None
    first, ends = places[0], {suffix(place.name) for place in places}
    if len(places) == 1 and os.path.isdir(first):
        return Location("folder", first)
    if ends == {".parquet"}:
        return Location("parquet", first.parent, tuple(places))
    if len(places) == 1 and ends <= lists.KINDS:
        return Location("list", first, (first,))
    strange = next((place for place in places if suffix(place.name) != ".parquet"), first)
    return Location("file", strange, (strange,))


def _is_there(path: Path) -> bool:
    """Also where it can't be looked at: who reads it says so."""
    try:
        return path.exists()
    except OSError:
        return True


def missing(name: str, dataset: dict[str, Any], split: str, root: Path | None) -> PenumbraError:
    """The error for a data set that is nowhere: what is expected where, and how to get it."""
    own = _places(named(dataset, split), root)
    what = f"data set {name} ({dataset['title']}), split {split}, is missing"
    if own:
        listed = "\n".join(f"  {place}" for place in own if not _is_there(place))
        return PenumbraError(f"{what}. There is no\n{listed}\nPut it there, or name another `path`")
    if root is None:
        places = "  (no data root is set: --config data_root=DIR)"
    else:
        looked = candidates(name, dataset, split, root)
        places = "\n".join(f"  {layout:<10}{path}" for layout, path in looked)
    fetch = "\nor let torchvision fetch it: --config download=true" if can_fetch(dataset) else ""
    source = dataset.get("source", "see config/datasets.yaml")
    return PenumbraError(f"{what}. Expected one of\n{places}\nHow to get it: {source}{fetch}")


def without_images(image_set: str, location: Location) -> PenumbraError:
    """The error for an image set whose place is there and holds none."""
    place = readable(str(location.files[0] if len(location.files) == 1 else location.path))
    return PenumbraError(
        f"image set {image_set}: there are no images in {place}; put them there, or name another "
        "place as the `path` of its split"
    )


def is_bare(folder: Path) -> bool:
    """Whether a folder surely holds no image: it is read with all below it, without links."""
    unread: list[OSError] = []
    for where, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not is_left_out(name)]
        if any(suffix(name) in SUFFIXES and not is_left_out(name) for name in files):
            return False
        if any(os.path.islink(os.path.join(where, name)) for name in folders):
            return False
    return not unread


def listing(location: Location, classes: Collection[str] | None = None) -> str:
    """A digest of the names and sizes of all images found, so that a changed data set is seen.

    In a publisher's own layout, of all files: lists and annotations decide what is read.
    Only the folders of `classes` count, where some are given. What is wrong counts too, and is
    refused by who reads the images: here it would end the whole call.
    """
    rows: list[list[str | int]]
    if location.layout == "list":
        rows = lists.measured(location.path, _size)
    elif location.files:
        rows = [[path.name, _size(path)] for path in location.files]
    elif location.layout == "published":  # annotations count, too
        every = sorted(
            os.path.join(where, f) for where, _, fs in os.walk(location.path) for f in fs
        )
        rows = [[os.path.relpath(f, location.path), _size(Path(f))] for f in every]
    else:
        folder = Folder(location.path, classes, measure=True)
        rows = [[name, size] for name, size in zip(folder.names, folder.sizes, strict=True)]
        rows += [[trouble] for trouble in folder.troubles]
    return f"{derive(json.dumps(rows)):016x}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
