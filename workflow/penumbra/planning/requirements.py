"""What must be there before a world's jobs are planned: data, published weights, CLIP."""

from collections.abc import Iterator
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.images.layout import missing
from penumbra.planning.detectors import detector
from penumbra.planning.parts import USES, outlier_set, part, weights_file
from penumbra.planning.tables import Tables
from penumbra.planning.world import World
from penumbra.reporting.values import CATEGORIES


def require(world: World, tables: Tables) -> None:
    """Refuse to plan jobs whose inputs from outside are not there.

    Raises:
        PenumbraError: all that is missing: which files are expected where, and how to get them.
    """
    absent = {
        source: missing(source[0], world.datasets[source[0]], source[1], world.root)
        for image_set in sorted(_image_sets(world, tables))
        for source in world.lacking(image_set)
    }
    problems = [*absent.values(), *_missing_weights(world, tables), *_missing_clip(world, tables)]
    if problems:
        raise PenumbraError("\n\n".join(map(str, problems)))


def benchmarks(world: World, tables: Tables) -> set[str]:
    """The benchmarks that the world's tables and figures read, and train on."""
    read = {cell.benchmark for cell in tables.all_cells() if cell.files}
    read |= {world.benchmark_of(entry) for entry in world.figure_entries()}
    return read | {world.trained_on(benchmark) for benchmark in read}


def parts(world: World, tables: Tables) -> set[str]:
    """The parts of the synthesis chain behind the world's tables and figures."""
    found: set[str] = set()
    queue = [
        outlier_set(world, name)[role]
        for name in _outlier_sets(world, tables)
        for role in ("rdm", "generator")
    ]
    while queue:
        name = queue.pop()
        found.add(name)
        entry = part(world, name)
        queue += [entry[role] for role in USES[entry["kind"]]]
    return found


def _outlier_sets(world: World, tables: Tables) -> set[str]:
    entries = world.figure_entries()
    recipes = {cell.model["recipe"] for cell in tables.all_cells() if cell.model}
    recipes |= {entry["recipe"] for entry in entries if "recipe" in entry}
    detectors = (detector(world, recipe) for recipe in recipes)
    of_recipes = {found["set"] for found in detectors if found}
    return of_recipes | {entry["outliers"] for entry in entries if "outliers" in entry}


def _image_sets(world: World, tables: Tables) -> set[str]:
    """Image sets that no table and figure can do without."""
    needed: set[str] = set()
    for benchmark in benchmarks(world, tables):
        entry = world.config["benchmarks"][benchmark]
        needed.update(world.own(benchmark))
        if entry["missing"] == "error":
            needed.update(name for group in entry["ood"].values() for name in group)
    entries = (part(world, name) for name in parts(world, tables))
    return needed | {entry["images"] for entry in entries if entry.get("training") is not None}


def _missing_weights(world: World, tables: Tables) -> Iterator[str]:
    for name in sorted(parts(world, tables)):
        entry = part(world, name)
        if entry.get("weights") is not None:
            file = weights_file(world, entry)
            if not file.is_file():
                yield (
                    f"parts.{name}: {file} is missing; put the published file there, name another "
                    "folder with weights_root, or train the part here (`training`)"
                )


def _missing_clip(world: World, tables: Tables) -> Iterator[str]:
    """Tables and figures of categories want CLIP where the world names it as their judge."""
    entry = world.config["categories"]
    in_tables = any(c.metric in CATEGORIES and c.files for c in tables.all_cells())
    in_figures = any(e["kind"] == "categories" for e in world.figure_entries())
    if entry["judge"] != "clip" or not (in_tables or in_figures):
        return
    folder = Path(world.config["weights_root"]) / entry["clip"]["folder"]
    if not (folder / "config.json").is_file():
        yield (
            f"categories.clip.folder: {folder} holds no CLIP; save one there with transformers' "
            "save_pretrained(), set categories.judge: classifier, or leave the tables and figures "
            "of categories out of `tables` and `figures`"
        )
