"""Training on outliers: which ones a recipe takes, who judges them, and the files of both."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.images.entries import LISTED
from penumbra.planning.config import resolve_recipe
from penumbra.planning.overlap import common
from penumbra.planning.parts import outlier_set
from penumbra.planning.paths import path, shard_names
from penumbra.planning.world import World


def model_of(names: Mapping[str, str]) -> dict[str, str]:
    """The wildcards that name a model."""
    return {key: names[key] for key in ("benchmark", "backbone", "recipe", "seed")}


def trained(world: World, names: Mapping[str, str]) -> dict[str, str]:
    """The wildcards of a model that is read, on the benchmark that it was trained on."""
    return {**model_of(names), "benchmark": world.trained_on(names["benchmark"])}


def detector(world: World, recipe: str, backbone: str = "") -> dict[str, Any] | None:
    """The `outliers` part of a resolved recipe, or None where it trains without outliers."""
    resolved = resolve_recipe(world.config["recipes"], recipe, backbone)
    return resolved.get("outliers") if resolved["method"] == "energy" else None


def exposure(world: World, recipe: str, backbone: str = "") -> str | None:
    """The image set that a recipe trains on as outliers; None where it does not."""
    resolved = resolve_recipe(world.config["recipes"], recipe, backbone)
    return resolved["options"]["images"] if resolved["method"] == "oe" else None


def streams(world: World, names: Mapping[str, str]) -> bool:
    """Whether a model's images stream, all of them: where one of its sets is listed."""
    train = world.config["benchmarks"][names["benchmark"]]["train"]
    given = exposure(world, names["recipe"], names["backbone"])
    sets = [name for name in (train, given) if name is not None]
    return any(world.image_set(name).get("stored") == LISTED for name in sets)


def shard_files(world: World, kind: str, benchmark: str, name: str) -> list[str]:
    """Embeddings or outliers of all shards of an outlier set, in order."""
    return [
        path(world.name, kind, benchmark=benchmark, outliers=name, shard=shard)
        for shard in shard_names(outlier_set(world, name)["shards"])
    ]


def outliers(world: World, names: Mapping[str, str]) -> list[str]:
    """The shards of the outlier set, or the image set, that a detector trains on.

    None for another model.

    Raises:
        PenumbraError: images of that set are no outliers (see `check_exposure`).
    """
    given = exposure(world, names["recipe"], names["backbone"])
    if given is not None:
        check_exposure(world, names)
        return world.images([given])
    outlier_options = detector(world, names["recipe"], names["backbone"])
    if outlier_options is None:
        return []
    return shard_files(world, "outliers", names["benchmark"], outlier_options["set"])


def check_exposure(world: World, names: Mapping[str, str]) -> None:
    """Refuse outliers that a benchmark tests or has as ID, or of another size than its images.

    Raises:
        PenumbraError: names both image sets.
    """
    given = exposure(world, names["recipe"], names["backbone"])
    if given is None:
        return
    where = world.where("recipes", names["recipe"])
    benchmark = world.config["benchmarks"][names["benchmark"]]
    check_apart(world, names["benchmark"], given, where)
    sizes = world.size(given), world.size(benchmark["train"])
    if sizes[0] != sizes[1]:
        raise PenumbraError(
            f"{where}: its outliers {given} measure {sizes[0]} pixels and {benchmark['train']} "
            f"{sizes[1]}; give {given} `size: {sizes[1]}`"
        )


def check_apart(world: World, name: str, given: str, where: str) -> None:
    """Refuse outliers out of an image set that a benchmark tests or has as ID.

    Raises:
        PenumbraError: it names both image sets, after the place in the config.
    """
    benchmark = world.config["benchmarks"][name]
    own = (benchmark[role] for role in ("train", "heldout", "test") if role in benchmark)
    for other in (*own, *benchmark.get("shifted", []), *world.all_ood(name)):
        if common(world, given, other):
            raise PenumbraError(
                f"{where}: {given} is trained on as outliers, and may hold images of "
                f"{other}, an ID or tested set of benchmark {name}; take another image set"
            )
