"""Training on outliers: which ones a recipe takes, who judges them, and the files of both."""

from collections.abc import Mapping
from typing import Any

from penumbra.images.chosen import LISTED
from penumbra.planning.config import resolve_recipe
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


def streams(world: World, names: Mapping[str, str]) -> bool:
    """Whether a model's images stream: where its benchmark lists them, as a set too large."""
    train = world.image_set(world.config["benchmarks"][names["benchmark"]]["train"])
    return train.get("stored") == LISTED


def shard_files(world: World, kind: str, benchmark: str, name: str) -> list[str]:
    """Embeddings or outliers of all shards of an outlier set, in order."""
    return [
        path(world.name, kind, benchmark=benchmark, outliers=name, shard=shard)
        for shard in shard_names(outlier_set(world, name)["shards"])
    ]


def outliers(world: World, names: Mapping[str, str]) -> list[str]:
    """The shards of the outlier set that a detector trains on; none for another model."""
    outlier_options = detector(world, names["recipe"], names["backbone"])
    if outlier_options is None:
        return []
    return shard_files(world, "outliers", names["benchmark"], outlier_options["set"])
