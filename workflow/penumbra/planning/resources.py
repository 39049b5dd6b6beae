"""What a job asks Slurm for: what `compute.demands` states of its rule; a retry, as much again."""

import functools
import math
from collections.abc import Callable
from typing import Any

from penumbra.images.class_split import count_out
from penumbra.images.classes import class_list
from penumbra.options.class_split import ClassSplit
from penumbra.planning.config import resolve_recipe
from penumbra.planning.parts import outlier_set, part
from penumbra.planning.world import World

START = 5  # minutes: process start with torch, reading, a busy file system
MARGIN = 2  # between what the rate says and the limit
WARNING = "--signal=TERM@60"  # a training is told 60 seconds before its time is over, and saves
DIGITS = 1797  # images of scikit-learn's digits, of which splits are fractions
CLASS = 1300  # images of a class in sets whose publisher prints no number, as in ImageNet


class Demands:
    """What jobs ask for, by rule: functions of wildcards and attempt, as Snakemake calls them."""

    def __init__(self, world: World):
        self._world = world

    def minutes(self, rule: str) -> Callable[[Any, int], int]:
        """Time limit in minutes; a training that is cut off there goes on in its retry."""

        def asked(wildcards: Any, attempt: int) -> int:
            work = demand(self._world, rule, wildcards)["seconds"]
            work *= thousands(self._world, rule, wildcards)
            limit = self._world.config["compute"]["longest"]
            return min(attempt * (START + math.ceil(MARGIN * work / 60)), limit)

        return asked

    def mem_mb(self, rule: str) -> Callable[[Any, int], int]:
        """Main memory in MB, however many images a job has."""

        def asked(wildcards: Any, attempt: int) -> int:
            limit = self._world.config["compute"]["memory"]
            return min(attempt * demand(self._world, rule, wildcards)["mem_mb"], limit)

        return asked


def demand(world: World, rule: str, wildcards: Any) -> dict[str, Any]:
    """What the config states of a rule: `seconds` for 1,000 images, and `mem_mb`.

    Images of an outlier set may take as much as the set itself says.
    """
    demands = world.config["compute"]["demands"]
    named = demands.get(rule, demands["default"])
    if rule != "outliers":
        return named
    return {**named, **outlier_set(world, dict(wildcards.items())["outliers"]).get("demands", {})}


def thousands(world: World, rule: str, wildcards: Any) -> float:
    """A job's images in thousands: times epochs in a training, of a whole benchmark after it."""
    wc = dict(wildcards.items())
    count, passes = 0, 1
    if rule == "models":
        count = images(world, world.config["benchmarks"][wc["benchmark"]]["train"])
        passes = resolve_recipe(world.config["recipes"], wc["recipe"], wc["backbone"])["epochs"]
    elif "image_set" in wc:
        count = images(world, wc["image_set"])
    elif "part" in wc:
        entry = part(world, wc["part"])
        if entry.get("training"):  # a published one is loaded
            count, passes = images(world, entry["images"]), entry["training"]["epochs"]
    elif "outliers" in wc:
        count = outliers(world, wc["benchmark"], wc["outliers"])
    elif "benchmark" in wc:
        sets = (*world.own(wc["benchmark"]), *world.all_ood(wc["benchmark"]))
        count = sum(images(world, name) for name in sets)
    return count * passes / 1000 / int(wc.get("shard", "0of1").partition("of")[2])


@functools.cache
def images(world: World, image_set: str) -> int:
    """About how many images a set holds; more rather than fewer."""
    entry = world.image_set(image_set)
    low, high = entry.get("share", (0, 1))
    count = entry.get("count") or _published(world, entry["dataset"], entry["split"])
    count = int(count * (high - low)) + 1
    kept = _classes(world, image_set) / world.datasets[entry["dataset"]].get("classes", 1)
    return min(count, int(2 * count * kept) + 1, entry.get("limit", count))


def outliers(world: World, benchmark: str, name: str) -> int:
    """How many outliers a set has: those given, one a training image, or as many of each class."""
    train = world.config["benchmarks"][benchmark]["train"]
    entry = outlier_set(world, name)
    if entry["kind"] == "images":
        return images(world, entry["images"])
    per_class, count = entry.get("per_class"), entry.get("count")
    if per_class is not None:
        return per_class * _classes(world, train)
    return images(world, train) if count is None else count


def _published(world: World, name: str, split: str) -> int:
    """About how many images a data set's split holds, of which an image set may keep some."""
    dataset = world.datasets[name]
    split_entry = dataset["splits"][split]
    known = split_entry.get("count") or split_entry.get("about")
    if known or "fraction" in split_entry:
        return known or int(split_entry["fraction"] * DIGITS)
    if "base" in dataset and "per_cell" not in dataset:
        return _published(world, dataset["base"], split)
    return dataset.get("classes", 1) * dataset.get("per_cell", CLASS)


def _classes(world: World, image_set: str) -> int:
    """How many classes an image set keeps; all where it names none."""
    entry = world.image_set(image_set)
    own = entry.get("classes") or class_list(world.folder / "classes", entry.get("classes_file"))
    count = len(own) if own else world.datasets[entry["dataset"]].get("classes", 1)
    if "class_split" in entry:
        split = ClassSplit.of(entry["class_split"])
        out = count_out(count, split.share)
        count = out if split.side == "ood" else count - out
    return count
