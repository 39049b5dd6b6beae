"""The one param of the rules that report, tables and figures (see `specs`), and their inputs."""

from typing import Any

from penumbra.errors import PenumbraError
from penumbra.planning import scorers, synthesis
from penumbra.planning.paths import path
from penumbra.planning.specs import network, spec
from penumbra.planning.tables import Cell
from penumbra.planning.world import World


def tables(world: World, name: str) -> str:
    """Reads: the table's cells, seeds, and the words of its caption."""
    table = world.table(name)
    cells = world.cells(name)
    config = {
        "title": table["title"],
        "notes": table.get("notes", []),
        "cells": [cell.as_dict() for cell in cells],
        "selections": _selections(world, name),
        "world": world.name,
        "seeds": world.config["seeds"],
        "benchmarks": {name: _described(world, name) for name in _used(cells)},
    }
    return spec("tables", config, [], {"table": name})


def _used(cells: list[Cell]) -> list[str]:
    return sorted({cell.benchmark for cell in cells if cell.files})


def _described(world: World, benchmark: str) -> dict[str, Any]:
    entry = world.config["benchmarks"][benchmark]

    def listed(names: list[str]) -> list[list[str]]:
        return [[world.label(s), path(world.name, "images", image_set=s)] for s in names]

    return {
        "label": entry["label"],
        "train": listed([entry["train"]]),
        "test": listed([entry["test"]]),
        "shifted": listed(entry.get("shifted", [])),
        "ood": listed(world.all_ood(benchmark)),
        "absent": world.absent(benchmark),
    }


def described_sets(world: World, name: str) -> list[str]:
    """The image sets whose sizes a table's caption states."""
    parts = [_described(world, benchmark) for benchmark in _used(world.cells(name))]
    roles = ("train", "test", "shifted", "ood")
    files = (file for part in parts for role in roles for _, file in part[role])
    return list(dict.fromkeys(files))


def selections(world: World, name: str) -> list[str]:
    """The selections that detectors of a table were trained on: a fall-back is told in it."""
    files = (file for listed in _selections(world, name).values() for file in listed)
    return list(dict.fromkeys(files))


def _selections(world: World, name: str) -> dict[str, list[str]]:
    """Per row label, the selections behind its models."""
    found: dict[str, list[str]] = {}
    for cell in world.cells(name):
        names = cell.model
        if not cell.files or names is None:
            continue
        detector = synthesis.detector(world, names["recipe"], names["backbone"])
        if detector is None or detector.get("filter") is None:
            continue
        of = {**names, "benchmark": world.trained_on(names["benchmark"])}
        files = [path(world.name, "selections", **of, seed=s) for s in world.config["seeds"]]
        listed = found.setdefault(cell.row_label, [])
        listed += [file for file in files if file not in listed]
    return found


def figures(world: World, name: str) -> str:
    """Reads: the figure's YAML."""
    figure = world.table(name)
    networks: dict[str, Any] = {}
    roots = [f"penumbra.reporting.{figure.get('module', name)}"]
    for role, entry in figure["inputs"].items():
        if entry["kind"] == "models":
            names = world.model(entry)
            backbone, root = network(world, names["backbone"])
            normalisation = world.config["benchmarks"][names["benchmark"]]["normalisation"]
            networks[role] = {"backbone": backbone, "normalisation": normalisation}
            roots += root
        elif entry["kind"] == "calibrations" and "missing" not in entry:
            module = world.config["calibrations"][entry["calibration"]]["module"]
            roots.append(f"penumbra.calibration.{module}")
    config = {
        "title": figure["title"],
        "module": figure.get("module", name),
        "options": figure.get("options", {}),
        "missing": {k: e["missing"] for k, e in figure["inputs"].items() if "missing" in e},
        "labels": {k: e["label"] for k, e in figure["inputs"].items() if "label" in e},
        "inputs": figure_inputs(world, name),
        "networks": networks,
    }
    return spec("figures", config, roots, {"figure": name})


def figure_inputs(world: World, name: str) -> dict[str, list[str]]:
    """The artifacts that a figure's YAML names, by their role in it."""
    entries = world.table(name)["inputs"].items()
    return {role: _artifacts(world, e) for role, e in entries if "missing" not in e}


def _artifacts(world: World, entry: dict[str, Any]) -> list[str]:
    """The files of one input of a figure: one, or all shards, or one a seed."""
    kind = entry["kind"]
    benchmark = world.benchmark_of(entry)
    if kind == "images":
        return [path(world.name, "images", image_set=_image_set(world, benchmark, entry))]
    if kind in ("embeddings", "outliers"):
        return synthesis.shard_files(world, kind, benchmark, entry["outliers"])
    if kind == "representations":
        return [synthesis.anchors(world, benchmark, entry["outliers"])]
    names = world.model(entry)
    extra = {key: entry.get(key) for key in ("block", "calibration", "scorer")}
    extra["input"] = world.input_of(entry)
    seeds = world.config["seeds"] if entry.get("seeds") == "all" else world.config["seeds"][:1]
    if kind == "scores":
        scorers.check(world, {**names, "scorer": entry["scorer"]})
    if kind not in READINGS:
        names["benchmark"] = world.trained_on(benchmark)
    return [path(world.name, kind, **names, **extra, seed=seed) for seed in seeds]


# What is read from a model on a benchmark's images, which need not be those that it trained on.
READINGS = ("outputs", "blocks", "scores", "metrics")


def _image_set(world: World, benchmark: str, entry: dict[str, Any]) -> str:
    chosen = entry["image_set"]
    if isinstance(chosen, int):
        there = world.all_ood(benchmark)
        if chosen >= len(there):
            raise PenumbraError(
                f"a figure shows OOD image set number {chosen} of {benchmark}, which has "
                f"{', '.join(there) or 'none'} here"
            )
        return there[chosen]
    return world.config["benchmarks"][benchmark][chosen]
