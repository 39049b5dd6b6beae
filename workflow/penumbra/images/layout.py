"""Where the files of a data set lie under a data root, in any of three layouts.

official   the files as published, read by torchvision or as the published folder
folder     <folder>/<split>/ with images, in class folders or flat
parquet    <folder>/<split>.parquet or <split>-*.parquet, columns image{bytes,path} and label

<folder> is the data set's name, unless its catalogue entry says otherwise.
"""

import json
import os
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.seeds import derive

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp"}


@dataclass(frozen=True)
class Location:
    """A data set found: its layout, and the folder or files that hold it."""

    layout: str  # official | folder | parquet
    path: Path
    files: tuple[Path, ...] = ()  # watched for changes; a folder's images are not


def candidates(
    name: str, dataset: dict[str, Any], split: str, root: Path
) -> list[tuple[str, Path]]:
    """Every place that is looked at, in order."""
    official = dataset.get("official", {})
    places = []
    for entry in official.get("files", {}).get(split, []):
        places += [("official", root / entry), ("official", root / name / entry)]
    places += [("official", root / folder) for folder in official.get("folders", {}).get(split, [])]
    own = root / dataset.get("folder", name)
    places.append(("folder", own / split))
    places.append(("parquet", own / f"{split}.parquet"))
    places.append(("parquet", own / f"{split}-*.parquet"))
    return places


def locate(name: str, dataset: dict[str, Any], split: str, root: Path | None) -> Location | None:
    """The first layout that is there, or None."""
    if root is None:
        return None
    for layout, path in candidates(name, dataset, split, root):
        if layout == "parquet":
            shards = tuple(sorted(path.parent.glob(path.name)))
            if shards:
                return Location(layout, path.parent, shards)
        elif path.exists():
            published_file = "files" in dataset.get("official", {}) and layout == "official"
            files = (path,) if published_file and path.is_file() else ()
            return Location(layout, path, files)
    return None


def missing(name: str, dataset: dict[str, Any], split: str, root: Path | None) -> PenumbraError:
    """The error for a data set that is nowhere: what is expected where, and how to get it."""
    if root is None:
        places = "  (no data root is set: --config data_root=DIR)"
    else:
        listed = candidates(name, dataset, split, root)
        places = "\n".join(f"  {layout:<9}{path}" for layout, path in listed)
    can_fetch = "torchvision" in dataset.get("official", {})
    fetch = "\nor let torchvision fetch it: --config download=true" if can_fetch else ""
    source = dataset.get("source", "see config/datasets.yaml")
    return PenumbraError(
        f"data set {name} ({dataset['title']}), split {split}, is missing. "
        f"Expected one of\n{places}\nHow to get it: {source}{fetch}"
    )


def files_below(folder: Path, classes: Collection[str] | None = None) -> list[str]:
    """Paths of all files below `folder`, relative to it, sorted folder by folder.

    Where folders named as some of `classes` lie side by side with others, the others are left out.
    """
    return [name for name, _ in _files(folder, "", frozenset(classes or ()))]


def _files(folder: Path, inside: str, kept: Set[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder / inside) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    folders = {entry.name for entry in entries if entry.is_dir()}
    left_out = folders - kept if folders & kept else set()
    for entry in entries:
        name = inside + entry.name
        if entry.name not in folders:
            yield name, entry
        elif entry.name not in left_out:
            yield from _files(folder, name + "/", kept)


def listing(location: Location, classes: Collection[str] | None = None) -> str:
    """A digest of the names and sizes of all files found, so that a changed data set is seen.

    Only the folders of `classes` count, where some are given.
    """
    if location.files:
        rows = [[path.name, path.stat().st_size] for path in location.files]
    else:
        files = _files(location.path, "", frozenset(classes or ()))
        rows = [[name, _size(entry)] for name, entry in files]
    return f"{derive(json.dumps(rows)):016x}"


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return -1  # a link to nothing; who reads the image names it
