"""What lies behind tables and figures that are asked for: benchmarks, models, parts, image sets."""

from typing import Any, NamedTuple

from penumbra.planning.cells import NO_SET, Cell
from penumbra.planning.outlier_training import detector, exposure
from penumbra.planning.parts import outlier_set, part, parts_of, used
from penumbra.planning.scorers import second_model
from penumbra.planning.world import World


class Asked(NamedTuple):
    """What is to be made: cells of tables, and inputs of figures."""

    cells: list[Cell]
    entries: list[dict[str, Any]]


def benchmarks(world: World, asked: Asked) -> set[str]:
    """The benchmarks that are read, and that their models are trained on.

    One of which all OOD sets are left out would be read, were they there.
    """
    read = {cell.benchmark for cell in asked.cells if cell.files or cell.missing == NO_SET}
    read |= {world.benchmark_of(entry) for entry in asked.entries}
    return read | {world.trained_on(benchmark) for benchmark in read}


def parts(world: World, asked: Asked) -> set[str]:
    """The parts of the synthesis chain behind what is asked for."""
    sets = (parts_of(outlier_set(world, name)) for name in outlier_sets(world, asked))
    return {*used(world, [named for of_set in sets for named in of_set.values()])}


def outlier_sets(world: World, asked: Asked) -> set[str]:
    """The outlier sets that detectors train on, or that figures show."""
    detectors = (detector(world, recipe) for recipe in recipes(world, asked))
    of_recipes = {outlier_options["set"] for outlier_options in detectors if outlier_options}
    return of_recipes | {entry["outliers"] for entry in asked.entries if "outliers" in entry}


def models(world: World, asked: Asked) -> set[tuple[str, str]]:
    """Recipe and backbone of all models that are read, by a scorer of two models both."""
    read: list[dict[str, Any]]
    read = [{**cell.model, "scorer": cell.scorer} for cell in asked.cells if cell.model]
    entries = (entry for entry in asked.entries if "recipe" in entry)
    read += [{**entry, "benchmark": world.benchmark_of(entry)} for entry in entries]
    read += [m for each in read if each.get("scorer") and (m := second_model(world, each))]
    return {(each["recipe"], each["backbone"]) for each in read}


def recipes(world: World, asked: Asked) -> set[str]:
    """The recipes of all models that are read."""
    return {recipe for recipe, _ in models(world, asked)}


def image_sets(world: World, asked: Asked) -> set[str]:
    """Image sets that cannot be done without."""
    needed: set[str] = set()
    for benchmark in benchmarks(world, asked):
        entry = world.config["benchmarks"][benchmark]
        needed.update(world.own(benchmark))
        if entry["missing"] == "error":
            needed.update(name for group in entry["ood"].values() for name in group)
    needed |= {given for r in recipes(world, asked) if (given := exposure(world, r))}
    sets = (outlier_set(world, name) for name in outlier_sets(world, asked))
    needed |= {entry["images"] for entry in sets if entry["kind"] == "images"}
    entries = (part(world, name) for name in parts(world, asked))
    return needed | {entry["images"] for entry in entries if entry.get("training") is not None}


def trained(world: World, asked: Asked) -> set[tuple[str, str, str]]:
    """Benchmark, recipe and backbone of the models that are read."""
    cells = ({"benchmark": c.benchmark, **c.model} for c in asked.cells if c.model and c.files)
    entries = (entry for entry in asked.entries if "recipe" in entry)
    told = [*cells, *({**e, "benchmark": world.benchmark_of(e)} for e in entries)]
    return {(m["benchmark"], m["recipe"], m["backbone"]) for m in told}
