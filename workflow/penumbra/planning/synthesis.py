"""What the names of the synthesis chain mean: parts, outlier sets, detectors and their judges."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.planning.config import extended, resolve_recipe
from penumbra.planning.paths import path

# What each kind of part is made of, besides images.
USES = {
    "encoder": (),
    "rdm": ("encoder",),
    "tokenizer": (),
    "mage": ("encoder", "tokenizer"),
    "dit": ("encoder",),
    "ldm": ("encoder",),
}
GENERATORS = ("mage", "dit", "ldm")


def part(world: Any, name: str) -> dict[str, Any]:
    """A part's config with what it extends.

    Raises:
        PenumbraError: no such part, or what it extends is none, or it itself.
    """
    return extended("part", world.config["parts"], name)


def weights_file(world: Any, entry: Mapping[str, Any]) -> Path:
    """Where a part's published file is expected."""
    return Path(world.config["weights_root"]) / entry["weights"]


def part_inputs(world: Any, name: str, role: str) -> list[str]:
    """The files of one role that a part is made from; none where it needs none of that role.

    A loaded part is made from its `weights`, and those it is used with are compared; a trained one
    from `images`, the parts that it uses, and `representations` of the images by its encoder.
    """
    entry = part(world, name)
    if role in USES[entry["kind"]]:
        return [path(world.name, "parts", part=entry[role])]
    if entry.get("weights") is not None:
        return [str(weights_file(world, entry))] if role == "weights" else []
    if role == "images":
        return [path(world.name, "images", image_set=entry["images"])]
    if role == "representations" and "encoder" in USES[entry["kind"]]:
        return [representations(world, entry["encoder"], entry["images"])]
    return []


def representations(world: Any, encoder: str, image_set: str) -> str:
    """The representations of an image set by an encoder."""
    return path(world.name, "representations", part=encoder, image_set=image_set)


def outlier_set(world: Any, name: str) -> dict[str, Any]:
    """An outlier set's config with what it extends.

    Raises:
        PenumbraError: no such set, or what it extends is none, or it itself.
    """
    return extended("outliers", world.config["outliers"], name)


def parts_of(world: Any, name: str) -> list[str]:
    """The parts that an outlier set names itself."""
    entry = outlier_set(world, name)
    return [entry["rdm"], entry["generator"]]


def anchors(world: Any, benchmark: str, name: str) -> str:
    """The representations that an outlier set is sampled around: of the training images."""
    encoder = part(world, outlier_set(world, name)["rdm"])["encoder"]
    return representations(world, encoder, world.config["benchmarks"][benchmark]["train"])


def shards(world: Any, name: str) -> list[str]:
    """Names of an outlier set's shards."""
    count = outlier_set(world, name)["shards"]
    return [f"{i}of{count}" for i in range(count)]


def shard_files(world: Any, kind: str, benchmark: str, name: str) -> list[str]:
    """Embeddings or outliers of all shards, in order."""
    return [
        path(world.name, kind, benchmark=benchmark, outliers=name, shard=shard)
        for shard in shards(world, name)
    ]


def detector(world: Any, recipe: str, backbone: str = "") -> dict[str, Any] | None:
    """The `outliers` part of a resolved recipe, or None where it trains without outliers."""
    resolved = resolve_recipe(world.config["recipes"], recipe, backbone)
    return resolved.get("outliers") if resolved["method"] == "energy" else None


def judges(world: Any, names: Mapping[str, str]) -> list[str]:
    """The calibrated scores of the outliers by each judge of a filtered detector."""
    found = detector(world, names["recipe"], names["backbone"]) or {}
    return [
        path(
            world.name,
            "calibrations",
            **{**model_of(names), "recipe": judge},
            calibration=found["calibration"],
        )
        for judge in found.get("judges", [])
    ]


def detector_inputs(world: Any, names: Mapping[str, str]) -> dict[str, list[str]]:
    """What a detector is trained on beside ID images: outlier shards and which of them are kept."""
    found = detector(world, names["recipe"], names["backbone"])
    if found is None:
        return {"outliers": [], "selection": []}
    files = shard_files(world, "outliers", names["benchmark"], found["set"])
    filtered = found.get("filter") is not None
    selection = [path(world.name, "selections", **model_of(names))] if filtered else []
    return {"outliers": files, "selection": selection}


def own_outliers(world: Any, names: Mapping[str, str]) -> list[str]:
    """The outliers that a detector is trained on.

    Raises:
        PenumbraError: the recipe is no detector's.
    """
    if detector(world, names["recipe"], names["backbone"]) is None:
        raise PenumbraError(
            f"recipe {names['recipe']} trains without outliers, so that there is nothing to "
            "calibrate or to filter; ask for a recipe of the method energy"
        )
    return detector_inputs(world, names)["outliers"]


def selection_inputs(world: Any, names: Mapping[str, str]) -> list[str]:
    """What a filter reads: the judges' calibrated scores, or the outliers' names alone.

    Raises:
        PenumbraError: the recipe has no filter.
    """
    outliers = own_outliers(world, names)
    if (detector(world, names["recipe"], names["backbone"]) or {}).get("filter") is None:
        raise PenumbraError(
            f"recipe {names['recipe']} keeps all outliers: it has no filter, and so no selection"
        )
    scored = judges(world, names)
    return scored or outliers


def energies_images(world: Any, names: Mapping[str, str]) -> list[str]:
    """Held-out ID and calibration OOD images of a benchmark.

    Raises:
        PenumbraError: the benchmark names none.
    """
    benchmark = world.config["benchmarks"][names["benchmark"]]
    for key in ("heldout", "calibration_ood"):
        if key not in benchmark:
            raise PenumbraError(
                f"benchmarks.{names['benchmark']}: a calibrated detector needs `{key}`"
            )
    return [
        path(world.name, "images", image_set=benchmark[key])
        for key in ("heldout", "calibration_ood")
    ]


def model_of(names: Mapping[str, str]) -> dict[str, str]:
    """The wildcards that name a model."""
    return {key: names[key] for key in ("benchmark", "backbone", "recipe", "seed")}
