"""The one param of every rule: the config that it reads and the code that it runs, as JSON.

Snakemake compares params as a set of unnamed values and sees no imported module, so both lie in
one text with sorted keys.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.audit.artifacts import dumps
from penumbra.audit.closure import code_of
from penumbra.errors import unknown
from penumbra.images.classes import class_list
from penumbra.images.layout import listing
from penumbra.planning.config import resolve_recipe
from penumbra.planning.world import World

# Keys of an image set that choose among a split's images.
SUBSETS = ("limit", "share", "thin", "semantic", "covariate")


def spec(rule: str, config: Any, roots: list[str], wildcards: Mapping[str, str]) -> str:
    """`roots` are the modules, beside the stage itself, that the config chooses by name."""
    return dumps(
        {
            "rule": rule,
            "wildcards": dict(wildcards.items()),
            "config": config,
            "roots": roots,
            "code": _code_digest((f"penumbra.stages.{rule}", *roots)),
        }
    )


@functools.cache
def _code_digest(roots: tuple[str, ...]) -> str:
    return str(code_of(roots)["digest"])


def images(world: World, image_set: str) -> str:
    """Reads: the image set, its data set's entry without prose, the listing of its files."""
    entry = world.image_set(image_set)
    dataset = world.datasets[entry["dataset"]]
    if entry["split"] not in dataset["splits"]:
        raise unknown("split", entry["split"], dataset["splits"], f"image_sets.{image_set}")
    found = world.location(image_set) if dataset["reader"] == "stored" else None
    config = {
        "name": image_set,
        "dataset_name": entry["dataset"],
        "dataset": _without_prose(dataset),
        "sources": {source: _without_prose(world.datasets[source]) for source in _sources(dataset)},
        "split": entry["split"],
        "size": entry.get("size", dataset["size"]),
        "classes": entry.get("classes")
        or class_list(world.folder / "classes", entry.get("classes_file")),
        "classes_file": entry.get("classes_file"),
        "count": entry.get("count", dataset["splits"][entry["split"]].get("count")),
        **{key: entry.get(key) for key in SUBSETS},
        "download": world.config["download"],
        "listing": listing(found, dataset.get("class_list")) if found else None,
    }
    roots = [f"penumbra.images.readers.{dataset['reader']}"]
    return spec("images", config, roots, {"image_set": image_set})


def _without_prose(dataset: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in dataset.items() if k not in ("licence", "source")}


def _sources(dataset: Mapping[str, Any]) -> list[str]:
    """The data sets that another is made of."""
    return [dataset["base"], dataset["other"]["dataset"]] if "base" in dataset else []


def network(world: World, backbone: str) -> tuple[dict[str, Any], list[str]]:
    """What a backbone's jobs read of it, and the module that it names."""
    entry = world.backbone(backbone)
    config = {"network": entry["network"], **entry["options"]}
    if "folder" in config:
        config["folder"] = str(Path(world.config["weights_root"]) / config["folder"])
    roots = [f"penumbra.networks.{entry['network']}"]
    if "head" in entry:
        config["head"] = entry["head"]
        roots.append("penumbra.networks.heads")
    return config, roots


def models(world: World, names: Mapping[str, str]) -> str:
    """Reads: backbone, resolved recipe, normalisation, compute; which outliers it trains on."""
    backbone, roots = network(world, names["backbone"])
    recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
    found = recipe.pop("outliers", None) if recipe["method"] == "energy" else None
    compute = world.config["compute"]
    config = {
        "backbone": backbone,
        "recipe": recipe,
        "outliers": found and {"set": found["set"], "fold": found.get("fold")},
        "normalisation": world.config["benchmarks"][names["benchmark"]]["normalisation"],
        "device": compute["device"],
        "channels_last": compute["channels_last"],
        "compile": compute["compile"],
        "graphs": compute["graphs"],
        "threads": compute["threads"]["models"],
    }
    roots += [f"penumbra.training.{recipe['method']}"]
    roots += ["penumbra.training.pool"] if found else []
    return spec("models", config, roots, names)


def zero_shot(world: World, names: Mapping[str, str]) -> str:
    """Reads: backbone, the prompt, compute."""
    backbone, roots = network(world, names["backbone"])
    recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
    compute = world.config["compute"]
    config = {
        "backbone": backbone,
        "recipe": {"options": recipe["options"]},
        "device": compute["device"],
        "threads": compute["threads"]["models"],
    }
    return spec("zero_shot", config, roots, names)


def reader(world: World, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What applies a model to images: backbone, normalisation, compute; the module it names."""
    backbone, roots = network(world, names["backbone"])
    compute = world.config["compute"]
    config = {
        "backbone": backbone,
        "normalisation": world.config["benchmarks"][names["benchmark"]]["normalisation"],
        "batch_size": compute["batch_size"],
        "device": compute["device"],
        "channels_last": compute["channels_last"],
        "precision": compute["precision"]["features"],
        "threads": compute["threads"]["features"],
    }
    return config, roots


def image_roles(world: World, benchmark: str) -> dict[str, Any]:
    """Which image sets of a benchmark play which part, as the stages that read them want it."""
    entry = world.config["benchmarks"][benchmark]
    return {
        "train": entry["train"],
        "test": entry["test"],
        "shifted": entry.get("shifted", []),
        "ood": world.all_ood(benchmark),
    }


def reading(world: World, rule: str, names: Mapping[str, str]) -> str:
    """Reads: backbone, normalisation, image sets of the benchmark, compute."""
    config, roots = reader(world, names)
    config |= image_roles(world, names["benchmark"])
    if rule == "outputs":
        config["heldout"] = world.config["benchmarks"][names["benchmark"]].get("heldout")
    if rule == "statistics":
        config["selection_images"] = world.config["block_selection"]["images"]
    return spec(rule, config, roots, names)
