"""Image sets: what their rule asks of a world."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from penumbra.errors import unknown
from penumbra.images.classes import class_list
from penumbra.images.entries import DECODED
from penumbra.images.layout import can_fetch, listing, missing
from penumbra.planning.spec import spec
from penumbra.planning.world import World

# Keys of an image set that choose among a split's images.
SUBSETS = ("class_split", "limit", "share", "thin", "semantic", "covariate")


class Images:
    """The rule `images`."""

    def __init__(self, world: World):
        self._world = world
        self._listing = functools.cache(listing)  # image sets of one folder are many

    def present(self, names: Mapping[str, str]) -> list[str]:
        """Nothing: the files of an image set lie outside, and are no inputs.

        Raises:
            PenumbraError: they are not there.
        """
        for name, split in self._world.lacking(names["image_set"]):
            raise missing(name, self._world.datasets[name], split, self._world.root)
        return []

    def spec(self, names: Mapping[str, str]) -> str:
        """Reads: the image set, its data set's entry without prose, the listings of files.

        Raises:
            PenumbraError: the data set has no such split.
        """
        world, name = self._world, names["image_set"]
        entry = world.image_set(name)
        dataset, split = world.datasets[entry["dataset"]], entry["split"]
        if split not in dataset["splits"]:
            raise unknown("split", split, dataset["splits"], f"image_sets.{name}")
        listed = class_list(world.folder / "classes", entry.get("classes_file"))
        classes = entry.get("classes") or listed
        folders = dataset.get("class_list") or _folders(classes, entry, dataset)
        config = {
            "name": name,
            "dataset_name": entry["dataset"],
            "dataset": _of_split(_without_prose(dataset), split),
            "sources": {s: _without_prose(world.datasets[s]) for s in _sources(dataset)},
            "split": split,
            "size": world.size(name),
            "stored": entry.get("stored", DECODED),
            "classes": classes,
            "folders": folders,
            "classes_file": entry.get("classes_file"),
            "count": entry.get("count", dataset["splits"][split].get("count")),
            **{key: entry.get(key) for key in SUBSETS},
            "listings": self._listings(entry, tuple(folders) if folders else None),
        }
        every = [dataset, *(world.datasets[s] for s in _sources(dataset))]
        read = (each.get("official", {}).get("reads") for each in every)
        roots = [f"penumbra.images.readers.{dataset['reader']}"]
        roots += [f"penumbra.images.published.{module}" for module in filter(None, read)]
        return spec("images", config, roots, {"image_set": name})

    def _listings(
        self, entry: Mapping[str, Any], folders: tuple[int | str, ...] | None
    ) -> list[str | None]:
        """Of each data set that an image set is read from, the digest of its files' listing.

        None where torchvision reads its own layout: it could be fetched in this call, and the next
        one would take a digest for a change.
        """
        world = self._world
        digests: list[str | None] = []
        for source, split in world.sources(entry["dataset"], entry["split"]):
            dataset = world.datasets[source]
            is_stored = dataset["reader"] == "stored"
            location = world.location(source, split) if is_stored else None
            if location and not (location.layout == "official" and can_fetch(dataset)):
                digests.append(self._listing(location, folders))
            else:
                digests.append(None)
        return digests


def _folders(
    classes: Sequence[int | str] | None, entry: Mapping[str, Any], dataset: Mapping[str, Any]
) -> Sequence[int | str] | None:
    """The class folders that are looked into; None for all.

    So it is of sets that count all images, and of those that are made of other data sets, whose
    images of all classes may be blended in.
    """
    named = classes is not None and all(isinstance(name, str) for name in classes)
    return classes if named and "count" not in entry and "base" not in dataset else None


def _without_prose(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in dataset.items() if k not in ("licence", "source", "words_file")}


def _of_split(dataset: dict[str, Any], split: str) -> dict[str, Any]:
    """An entry without the paths and options of other splits, which may change."""
    splits = {
        name: {k: v for k, v in entry.items() if k not in ("path", "options") or name == split}
        for name, entry in dataset["splits"].items()
    }
    return {**dataset, "splits": splits}


def _sources(dataset: Mapping[str, Any]) -> list[str]:
    """The data sets that another is made of."""
    return [dataset["base"], dataset["other"]["dataset"]] if "base" in dataset else []
