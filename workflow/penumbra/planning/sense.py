"""What keys of a config say together makes sense: splits, shares, disjoint sets, who recognises."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penumbra.errors import unknown
from penumbra.images.class_split import count_out
from penumbra.images.entries import LISTED
from penumbra.options.check import examine
from penumbra.options.class_split import ClassSplit
from penumbra.planning.gathering import tell
from penumbra.planning.overlap import overlaps, roles
from penumbra.planning.world import World

Problems = Iterator[tuple[tuple[str, ...], str]]  # keys, and what is wrong there


def check(world: World, broken: set[str]) -> None:
    """Refuse a config whose keys contradict each other.

    Of entries in the sections `broken`, names are unknown already: what rests on them is not
    looked at.

    Raises:
        PenumbraError: all that makes no sense, each with its file and key.
    """
    problems: list[str] = []
    sets = world.config["image_sets"].values()
    if any([*examine(ClassSplit, each["class_split"])] for each in sets if "class_split" in each):
        broken = broken | {"image_sets"}  # what is wrong there, the check of options tells
    for of, wanted in CHECKS.items():
        if not broken & wanted:
            problems += (f"{world.where(*keys)}: {what}" for keys, what in of(world))
    tell(problems)


def _datasets(world: World) -> Problems:
    for name, entry in world.datasets.items():
        keys = ("datasets", name)
        made = entry["reader"] in ("shifted", "grid")
        absent = [key for key in ("base", "other") if made and key not in entry]
        if made and entry["reader"] == "grid" and "per_cell" not in entry:
            absent.append("per_cell")
        if absent:
            yield keys, f"the reader `{entry['reader']}` needs {' and '.join(absent)}; say them"
            continue
        if not made and entry["reader"] == "windows" and not entry.get("files"):
            yield keys, "the reader `windows` needs `files`; name some"
        if not made:
            continue
        other = entry["other"]
        if "base" in world.datasets[entry["base"]]:
            yield (*keys, "base"), f"{entry['base']} is shifted itself; name the set behind it"
        sources = [("base", entry["base"], split) for split in entry["splits"]]
        for key, source, split in [*sources, ("other", other["dataset"], other["split"])]:
            if split not in world.datasets[source]["splits"]:
                yield (*keys, key), _no_split(source, split, world)


def _no_split(dataset: str, split: str, world: World) -> str:
    return str(unknown("split", split, world.datasets[dataset]["splits"], f"data set {dataset}"))


def _image_sets(world: World) -> Problems:
    for name, entry in world.config["image_sets"].items():
        keys = ("image_sets", name)
        dataset = world.datasets[entry["dataset"]]
        if entry["split"] not in dataset["splits"]:
            yield (*keys, "split"), _no_split(entry["dataset"], entry["split"], world)
        if "classes" in entry and "classes_file" in entry:
            yield keys, "give `classes` or `classes_file`, not both"
        count = dataset.get("classes")
        numbers = [c for c in entry.get("classes") or () if isinstance(c, int)]
        beyond = [c for c in numbers if count is not None and c >= count]
        if beyond:
            yield (
                (*keys, "classes"),
                f"{beyond[0]} is none of the {count} classes of {entry['dataset']}, counted from 0",
            )
        if "class_split" in entry:
            yield from _class_split(world, name, entry)
        low, high = entry.get("share", (0, 1))
        if low >= high:
            yield (*keys, "share"), f"[{low}, {high}] holds nothing; write the lower bound first"
        if entry.get("stored") == LISTED and dataset["reader"] != "stored":
            yield (
                (*keys, "stored"),
                f"{entry['dataset']} is made by the reader `{dataset['reader']}` and has no files "
                "of images to list; leave it out",
            )
        for key in ("semantic", "covariate"):
            if key in entry and dataset["reader"] != "shifted":
                yield (
                    (*keys, key),
                    f"only data sets of the reader `shifted` have levels of shift, and "
                    f"{entry['dataset']} is of `{dataset['reader']}`",
                )


def _class_split(world: World, name: str, entry: Mapping[str, Any]) -> Problems:
    keys, dataset = ("image_sets", name, "class_split"), world.datasets[entry["dataset"]]
    if not dataset["labelled"]:
        yield keys, f"{entry['dataset']} is not labelled, so its classes can't be split"
    count = len(entry.get("classes", ())) or dataset.get("classes")
    share = ClassSplit.of(entry["class_split"]).share
    if count and not 0 < count_out(count, share) < count:
        out = count_out(count, share)
        yield (
            keys,
            f"of {count} classes a share of {share:g} holds out {out}; choose one that leaves "
            "classes on both sides",
        )


def _benchmarks(world: World) -> Problems:
    benchmarks = world.config["benchmarks"]
    for name, entry in benchmarks.items():
        keys = ("benchmarks", name)
        learned = entry.get("models_of")
        if learned is not None and benchmarks[learned]["train"] != entry["train"]:
            yield (
                keys,
                f"it reads models of {learned}, so it names the same `train`, whose classes those "
                "models know",
            )
        if learned is not None and "models_of" in benchmarks[learned]:
            yield (
                (*keys, "models_of"),
                f"{learned} reads models of {benchmarks[learned]['models_of']} itself; name that",
            )
        for place, what in (*overlaps(world, name), *_split_apart(world, name)):
            yield (*keys, *place.split(".")), what


def _split_apart(world: World, benchmark: str) -> Iterator[tuple[str, str]]:
    """Of one data set, ID images are of one side of one draw of classes, OOD ones of the other."""
    first: dict[str, tuple[str, ClassSplit, bool, Any]] = {}
    for place, name in roles(world, benchmark):
        entry = world.image_set(name)
        if "class_split" not in entry:
            continue
        split, is_ood = ClassSplit.of(entry["class_split"]), place.startswith(("ood", "calib"))
        of = split.share, split.draw, entry.get("classes"), entry.get("classes_file")
        told, mine = entry["dataset"], (name, split, is_ood, of)
        other, its_split, others_ood, its_own = first.setdefault(told, mine)
        if of != its_own:
            yield (
                place,
                f"{name} and {other} draw classes of {told} apart, so a class may be in both; give "
                "their `class_split` one share and one draw, and both the same `classes`",
            )
        elif (split.side == its_split.side) != (is_ood == others_ood):
            yield (
                place,
                f"{name} is on the side `{split.side}` of the classes of {told}, and {other} on "
                f"`{its_split.side}`; ID images are on one side, and OOD images on the other",
            )


def _recipes(world: World) -> Problems:
    for name, entry in world.config["recipes"].items():
        for backbone, changes in entry.get("backbones", {}).items():
            keys = ("recipes", name, "backbones", backbone)
            for key in ("extends", "backbones"):
                if key in changes:
                    yield (*keys, key), "changes for one backbone extend nothing; leave it out"
            if "outliers" in changes:
                yield (
                    (*keys, "outliers"),
                    "a recipe has its outliers for all backbones; write a recipe of its own",
                )
            if "method" in changes:
                yield (*keys, "method"), "a recipe has one method; write a recipe of its own"


def _categories(world: World) -> Problems:
    entry: Mapping[str, Any] = world.config["categories"]
    recogniser = entry["recogniser"]
    if recogniser not in entry:
        yield ("categories",), f"the recogniser is {recogniser}, so say `{recogniser}`: which one"


# Each with the sections whose names it rests on.
CHECKS: dict[Callable[[World], Problems], set[str]] = {
    _datasets: {"datasets"},
    _image_sets: {"datasets", "image_sets"},
    _benchmarks: {"datasets", "image_sets", "benchmarks"},
    _recipes: set(),
    _categories: set(),
}
