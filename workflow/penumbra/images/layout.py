"""Where the files of a data set lie under a data root, in any of three layouts.

official   the files as published, read by torchvision or as the published folder
folder     <folder>/<split>/ with images, in class folders or flat
parquet    <folder>/<split>.parquet or <split>-*.parquet, columns image{bytes,path} and label

<folder> is the data set's name, unless its catalogue entry says otherwise.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.folders import Folder
from penumbra.images.pieces import of_split
from penumbra.seeds import derive


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
            pieces = of_split(sorted(path.parent.glob(path.name)), split, dataset["splits"])
            if pieces:
                return Location(layout, path.parent, pieces)
        elif _is_there(path):
            published_file = "files" in dataset.get("official", {}) and layout == "official"
            files = (path,) if published_file and path.is_file() else ()
            return Location(layout, path, files)
    return None


def _is_there(path: Path) -> bool:
    """Also where it can't be looked at: who reads it says so."""
    try:
        return path.exists()
    except OSError:
        return True


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


def listing(location: Location, classes: Collection[str] | None = None) -> str:
    """A digest of the names and sizes of all images found, so that a changed data set is seen.

    Only the folders of `classes` count, where some are given. What is wrong counts too, and is
    refused by who reads the images: here it would end the whole call.
    """
    rows: list[list[str | int]]
    if location.files:
        rows = [[path.name, _size(path)] for path in location.files]
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
