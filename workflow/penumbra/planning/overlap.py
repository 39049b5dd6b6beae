"""Whether two image sets may share images: told from the config alone, and on the safe side."""

import os
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from pathlib import Path
from typing import Any, NamedTuple

from penumbra.images.classes import class_list
from penumbra.images.layout import named
from penumbra.options.class_split import ClassSplit
from penumbra.planning.world import World

# What makes images of the same files others: levels of shift.
LEVELS = ("semantic", "covariate")


def common(world: World, one: str, other: str) -> bool:
    """Whether two image sets may hold the same image.

    They do not where their files differ, or their shares, classes, sides of a split of classes or
    levels of shift; nor where a publisher's own lists keep them apart.
    """
    if one == other:
        return True
    a, b = world.image_set(one), world.image_set(other)
    if not any(_meet(*files) for files in product(_files(world, a), _files(world, b))):
        return False
    if any(a.get(level, 0) != b.get(level, 0) for level in LEVELS):
        return False
    if _shares_apart(a, b) or _sides_apart(a, b):
        return False
    return not (_classes_apart(world, a, b) or _published_apart(world, a, b))


class Place(NamedTuple):
    """A folder, or a file, that an image set may be read from."""

    path: Path


class Source(NamedTuple):
    """Images that no path of the config tells: a reader's, or a data set's of torchvision."""

    reader: str
    name: str
    split: str


def _files(world: World, entry: Mapping[str, Any]) -> set[Place | Source]:
    """What an image set is read from, or may be."""
    name, split = entry["dataset"], entry["split"]
    dataset = world.datasets[name]
    reader = dataset["reader"]
    if reader == "windows":
        return {Source(reader, file, split) for file in dataset.get("files", [])}
    if reader != "stored":
        return {Source(reader, name, split)}
    official = dataset.get("official", {})
    folders = named(dataset, split) or [
        str(Path(dataset.get("folder", name)) / split),
        *official.get("folders", {}).get(split, []),
    ]
    root = world.root or Path()
    sources: set[Place | Source] = {Place(Path(os.path.realpath(root / p))) for p in folders}
    sources |= {Place(Path(os.path.realpath(root / p))) for p in official.get("places", [])}
    if "torchvision" in official:
        arguments = official.get("arguments", {}).get(split)
        sources.add(Source(reader, official["torchvision"], str(arguments)))
    return sources


def _meet(one: Place | Source, other: Place | Source) -> bool:
    """Whether both are of the same files, or of a folder and what lies in it."""
    if isinstance(one, Place) and isinstance(other, Place):
        return one.path.is_relative_to(other.path) or other.path.is_relative_to(one.path)
    return one == other


def _shares_apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Shares are drawn by data set and split, so they tell sets of one split apart only."""
    if (a["dataset"], a["split"]) != (b["dataset"], b["split"]):
        return False
    (low, high), (bottom, top) = a.get("share", (0, 1)), b.get("share", (0, 1))
    return high <= bottom or top <= low


def _published_apart(world: World, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two splits of a publisher's layout share nothing, by their options.

    They do not where shares or lists (of domains) share nothing. Which images are of which kind or
    usage only the entry of one data set says alike; without options, splits are as published.
    """
    one, other = (world.datasets[entry["dataset"]] for entry in (a, b))
    reads = one.get("official", {}).get("reads")
    if reads is None or other.get("official", {}).get("reads") != reads:
        return False
    mine, theirs = (d["splits"][e["split"]].get("options", {}) for d, e in ((one, a), (other, b)))
    if not mine and not theirs:
        return a["split"] != b["split"]
    (low, high), (bottom, top) = mine.get("share", (0, 1)), theirs.get("share", (0, 1))
    if high <= bottom or top <= low:
        return True
    for key in mine.keys() & theirs.keys() - {"share"}:
        if isinstance(mine[key], list) and not {*mine[key]} & {*theirs[key]}:
            return True
        if isinstance(mine[key], str) and a["dataset"] == b["dataset"] and mine[key] != theirs[key]:
            return True
    return False


def _classes_apart(world: World, a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    kept, others = _classes(world, a), _classes(world, b)
    if kept is None or others is None or kept & others:
        return False
    # A number and a name may mean one class; numbers of two data sets are no one's.
    kinds = {type(name) for name in kept | others}
    return kinds == {str} or (kinds == {int} and a["dataset"] == b["dataset"])


def _sides_apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether both are of one draw of classes, and on other sides of it."""
    if any(a.get(k) != b.get(k) for k in ("dataset", "classes", "classes_file")):
        return False
    if not ("class_split" in a and "class_split" in b):
        return False
    one, other = (ClassSplit.of(entry["class_split"]) for entry in (a, b))
    return (one.share, one.draw) == (other.share, other.draw) and one.side != other.side


def _classes(world: World, entry: Mapping[str, Any]) -> set[int | str] | None:
    """The classes that an image set keeps, by name where names are known; None for all."""
    dataset = world.datasets[entry["dataset"]]
    named = dataset.get("class_list") or dataset.get("class_names") or []
    listed = class_list(world.folder / "classes", entry.get("classes_file"))
    kept = entry.get("classes", listed)
    if kept is None:
        return set(dataset["class_list"]) if "class_list" in dataset else None
    return {named[c] if isinstance(c, int) and 0 <= c < len(named) else c for c in kept}


def roles(world: World, benchmark: str) -> Iterator[tuple[str, str]]:
    """Every image set of a benchmark with its place there, and of what its models learned from."""
    entry = world.config["benchmarks"][benchmark]
    learned = world.config["benchmarks"].get(entry.get("models_of"), entry)
    for role in ("train", "heldout", "calibration_ood"):
        own = dict.fromkeys(source[role] for source in (entry, learned) if role in source)
        yield from ((role, name) for name in own)
    yield "test", entry["test"]
    yield from (("shifted", name) for name in entry.get("shifted", []))
    for group, names in entry["ood"].items():
        yield from ((f"ood.{group}", name) for name in names)


def overlaps(world: World, benchmark: str) -> Iterator[tuple[str, str]]:
    """The key of every image set of a benchmark that shares images with another, and why."""
    for (role, name), (place, other) in combinations(list(roles(world, benchmark)), 2):
        if name == other:
            what = f"{name} is its `{role}` already" if role != place else f"{name} is in it twice"
            yield place, f"{what}; an image set stands in one place only"
        elif common(world, name, other):
            yield (
                place,
                f"{other} may hold images of {name}, its `{role}`: {_both(world, name, other)}; "
                "give them classes or shares that do not overlap, or take another set",
            )


def _both(world: World, name: str, other: str) -> str:
    """What two image sets have in common, in words."""
    one, two = ("{dataset}, {split}".format(**world.image_set(each)) for each in (name, other))
    return f"both are of {one}" if one == two else f"{two} and {one} are read from the same files"
