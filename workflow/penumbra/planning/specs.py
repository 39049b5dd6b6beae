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
from penumbra.errors import PenumbraError, unknown
from penumbra.images.layout import listing
from penumbra.planning import needs
from penumbra.planning.config import resolve_recipe
from penumbra.planning.paths import path
from penumbra.planning.world import World


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
        "dataset": {k: v for k, v in dataset.items() if k not in ("licence", "source")},
        "split": entry["split"],
        "size": entry.get("size", dataset["size"]),
        "classes": entry.get("classes"),
        "count": entry.get("count", dataset["splits"][entry["split"]].get("count")),
        "limit": entry.get("limit"),
        "download": world.config["download"],
        "listing": listing(found) if found else None,
    }
    roots = [f"penumbra.images.readers.{dataset['reader']}"]
    return spec("images", config, roots, {"image_set": image_set})


def _network(world: World, backbone: str) -> tuple[dict[str, Any], list[str]]:
    entry = world.backbone(backbone)
    config = {"network": entry["network"], **entry["options"]}
    return config, [f"penumbra.networks.{entry['network']}"]


def models(world: World, names: Mapping[str, str]) -> str:
    """Reads: backbone, resolved recipe, normalisation, compute."""
    network, roots = _network(world, names["backbone"])
    recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
    compute = world.config["compute"]
    config = {
        "backbone": network,
        "recipe": recipe,
        "normalisation": world.config["benchmarks"][names["benchmark"]]["normalisation"],
        "device": compute["device"],
        "channels_last": compute["channels_last"],
        "compile": compute["compile"],
        "threads": compute["threads"]["models"],
    }
    return spec("models", config, [*roots, f"penumbra.training.{recipe['method']}"], names)


def reading(world: World, rule: str, names: Mapping[str, str]) -> str:
    """Reads: backbone, normalisation, image sets of the benchmark, compute."""
    network, roots = _network(world, names["backbone"])
    benchmark = world.config["benchmarks"][names["benchmark"]]
    compute = world.config["compute"]
    config = {
        "backbone": network,
        "normalisation": benchmark["normalisation"],
        "train": benchmark["train"],
        "test": benchmark["test"],
        "ood": world.all_ood(names["benchmark"]),
        "batch_size": compute["batch_size"],
        "device": compute["device"],
        "threads": compute["threads"]["features"],
    }
    if rule in needs.STATISTICS:
        config["statistics"] = needs.STATISTICS[rule]
        config["selection_images"] = world.config["block_selection"]["images"]
    return spec(rule, config, roots, names)


def scores(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer."""
    entry = world.config["scorers"][names["scorer"]]
    config = {"module": entry["module"], "options": entry.get("options", {})}
    return spec("scores", config, [f"penumbra.scores.{entry['module']}"], names)


def latency(world: World, names: Mapping[str, str]) -> str:
    """Reads: the scorer and the network that it is measured on."""
    entry = world.config["scorers"][names["scorer"]]
    if not needs.statistics(entry):
        raise PenumbraError(f"scorer {names['scorer']}: latency is measured of block scorers only")
    network, roots = _network(world, names["backbone"])
    benchmark = world.config["benchmarks"][names["benchmark"]]
    config = {
        "backbone": network,
        "normalisation": benchmark["normalisation"],
        "module": entry["module"],
        "options": entry.get("options", {}),
        "statistics": needs.statistics(entry),
        "batch_size": world.config["compute"]["batch_size"],
        "device": world.config["compute"]["device"],
        "threads": world.config["compute"]["threads"]["features"],
    }
    return spec("latency", config, [*roots, f"penumbra.scores.{entry['module']}"], names)


def read_by(world: World, names: Mapping[str, str]) -> str:
    """The artifact that the scorer `names["scorer"]` reads."""
    entry = world.config["scorers"][names["scorer"]]
    return path(world.name, needs.stage(entry), **names, block=entry.get("block"))


def tables(world: World, name: str) -> str:
    """Reads: the table's cells, seeds, and the words of its caption."""
    table = world.table(name)
    cells = world.cells(name)
    used = sorted({Path(file).parts[3] for cell in cells for file in cell.files})
    config = {
        "title": table["title"],
        "notes": table.get("notes", []),
        "cells": [cell.as_dict() for cell in cells],
        "world": world.name,
        "seeds": world.config["seeds"],
        "benchmarks": {name: _described(world, name) for name in used},
    }
    return spec("tables", config, [], {"table": name})


def _described(world: World, benchmark: str) -> dict[str, Any]:
    entry = world.config["benchmarks"][benchmark]

    def listed(names: list[str]) -> list[list[str]]:
        return [[world.label(s), path(world.name, "images", image_set=s)] for s in names]

    return {
        "label": entry["label"],
        "train": listed([entry["train"]]),
        "test": listed([entry["test"]]),
        "ood": listed(world.all_ood(benchmark)),
        "absent": world.absent(benchmark),
    }


def described_sets(world: World, name: str) -> list[str]:
    """The image sets whose sizes a table's caption states."""
    used = sorted({Path(file).parts[3] for cell in world.cells(name) for file in cell.files})
    parts = [_described(world, benchmark) for benchmark in used]
    files = (f for part in parts for role in ("train", "test", "ood") for _, f in part[role])
    return list(dict.fromkeys(files))


def figures(world: World, name: str) -> str:
    """Reads: the figure's YAML."""
    figure = world.table(name)
    networks: dict[str, Any] = {}
    roots = [f"penumbra.reporting.{name}"]
    for role, entry in figure["inputs"].items():
        if entry["kind"] == "models":
            names = world.model(entry)
            network, root = _network(world, names["backbone"])
            normalisation = world.config["benchmarks"][names["benchmark"]]["normalisation"]
            networks[role] = {"backbone": network, "normalisation": normalisation}
            roots += root
    config = {
        "title": figure["title"],
        "options": figure.get("options", {}),
        "inputs": figure_inputs(world, name),
        "networks": networks,
    }
    return spec("figures", config, roots, {"figure": name})


def figure_inputs(world: World, name: str) -> dict[str, str]:
    """The artifacts that a figure's YAML names, by their role in it."""
    found = {}
    for role, entry in world.table(name)["inputs"].items():
        if entry["kind"] == "images":
            benchmark = world.config["benchmarks"][world.config["roles"][entry["benchmark"]]]
            chosen = entry["image_set"]
            image_set = (
                benchmark["test"]
                if chosen == "test"
                else world.all_ood(world.config["roles"][entry["benchmark"]])[chosen]
            )
            found[role] = path(world.name, "images", image_set=image_set)
            continue
        names = {**world.model(entry), "seed": world.config["seeds"][0]}
        extra = {"input": world.input_of(entry), "block": entry.get("block")}
        found[role] = path(world.name, entry["kind"], **names, **extra)
    return found
