"""What must be there before jobs are planned: data, published weights, CLIP.

Tables are what a call is for by default, so what they lack ends it; what only a figure lacks is
told when that figure is asked for.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from penumbra.errors import PenumbraError
from penumbra.evaluation.metrics import METRICS
from penumbra.images.layout import is_bare, missing, named, without_images
from penumbra.networks.loading.clip_files import holds_clip
from penumbra.planning import behind, class_names
from penumbra.planning.behind import Asked
from penumbra.planning.gathering import gather, tell
from penumbra.planning.left_out import figure_entries
from penumbra.planning.networks import given_files, network
from penumbra.planning.options_of_models import UNLABELLED, UNTRAINED
from penumbra.planning.outlier_training import detector
from penumbra.planning.parts import (
    OF_CLASSES,
    lacking_weights,
    options_of,
    outlier_set,
    part,
)
from penumbra.planning.report_checks import check_figure
from penumbra.planning.scorers import method_of
from penumbra.planning.tables import Tables
from penumbra.planning.targets import unfit
from penumbra.planning.world import OF_CLIP, World


def require(world: World, tables: Tables) -> None:
    """Refuse tables and figures that say a thing wrongly, and tables whose data are not there.

    Raises:
        PenumbraError: all that is wrong; or all that is missing: which files are expected where,
            and how to get them.
    """
    names = partial(_check_names, world)
    cells = (partial(tables.of, name) for name in world.config["tables"])
    figures = (partial(check_figure, world, name) for name in world.config["figures"])
    gather([names, *cells, *figures])
    _require(world, Asked(tables.all_cells(), []))


def _check_names(world: World) -> None:
    tell(
        f"{world.where(kind)}: {name} {why}; call its file otherwise"
        for kind in ("tables", "figures")
        for name in world.config[kind]
        if (why := unfit(name))
    )


def require_figure(world: World, name: str) -> None:
    """Refuse a figure whose data are not there, or that shows a table which the world has not.

    Raises:
        PenumbraError: all that is missing.
    """
    check_figure(world, name)
    entries = figure_entries(world, name)
    shown = [entry["table"] for entry in entries if entry["kind"] == "tables"]
    tell(
        f"{world.where('tables')}: {name} shows {table}, which is not among them; add it, or leave "
        "the figure out"
        for table in shown
        if table not in world.config["tables"]
    )
    _require(world, Asked([], [entry for entry in entries if entry["kind"] != "tables"]))


def _require(world: World, asked: Asked) -> None:
    absent = {
        source: missing(source[0], world.datasets[source[0]], source[1], world.root)
        for image_set in sorted(behind.image_sets(world, asked))
        for source in world.lacking(image_set)
    }
    problems = [
        *absent.values(),
        *_bare(world, asked),
        *_missing_weights(world, asked),
        *_missing_clip(world, asked),
    ]
    problems += [*_missing_models(world, asked), *_unread(world, asked)]
    problems += _without_labels(world, asked)
    if problems:
        raise PenumbraError("\n\n".join(map(str, problems)))


def _bare(world: World, asked: Asked) -> Iterator[PenumbraError]:
    """Folders of one's own, named by `path`, that are there and hold no image."""
    for image_set in sorted(behind.image_sets(world, asked)):
        entry = world.image_set(image_set)
        for name, split in world.sources(entry["dataset"], entry["split"]):
            location = world.location(name, split) if named(world.datasets[name], split) else None
            if location and location.layout == "folder" and is_bare(location.path):
                yield without_images(image_set, location)


def _missing_weights(world: World, asked: Asked) -> Iterator[str]:
    for name in sorted(behind.parts(world, asked)):
        entry = part(world, name)
        if entry.get("weights") is not None:
            for file in lacking_weights(world, entry):
                train = ", or train the part here (`training`)" if "training" in entry else ""
                yield (
                    f"parts.{name}: {file} is missing; put the published file there, or name "
                    f"another folder with weights_root{train}"
                )


def _missing_models(world: World, asked: Asked) -> Iterator[str]:
    """Files that pretrained recipes name."""
    pairs = behind.models(world, asked)
    for backbone in sorted({backbone for _, backbone in pairs}):
        try:
            network(world, {"backbone": backbone})
        except PenumbraError as error:  # no file of a network of the user's own
            yield str(error)
    for recipe, backbone in sorted(pairs):
        if method_of(world, {"recipe": recipe, "backbone": backbone}) == "pretrained":
            for key, file in given_files(world, recipe, backbone).items():
                if not Path(file).is_file():
                    where = world.where("recipes", recipe, "pretrained", key)
                    yield f"{where}: {file} is missing; name the file, or put it there"


def _categorised(world: World, asked: Asked) -> set[str]:
    """The benchmarks whose outliers CLIP sorts into categories."""
    if world.config["categories"]["recogniser"] != "clip":
        return set()
    cells = (c for c in asked.cells if METRICS[c.metric].artifact == "categories" and c.files)
    entries = (entry for entry in asked.entries if entry["kind"] == "categories")
    return {c.benchmark for c in cells} | {world.benchmark_of(entry) for entry in entries}


def _missing_clip(world: World, asked: Asked) -> Iterator[str]:
    """Tables and figures of categories want CLIP where the world names it as their recogniser."""
    if not _categorised(world, asked):
        return
    folder = Path(world.config["weights_root"]) / world.config["categories"]["clip"]["folder"]
    if not holds_clip(folder):
        yield (
            f"categories.clip.folder: {folder} holds no CLIP; save one there with transformers' "
            "save_pretrained(), set categories.recogniser: classifier, or leave the tables and "
            "figures of categories out of `tables` and `figures`"
        )


def _unread(world: World, asked: Asked) -> Iterator[str]:
    """Classes that CLIP is to tell apart and cannot read."""
    for benchmark in sorted(_categorised(world, asked)):
        yield from class_names.unrecognised(world, benchmark)
    for benchmark, recipe, backbone in sorted(_of_clip(world, asked)):
        known = class_names.known(world, benchmark)
        yield from class_names.unread(world, benchmark, known, f"{backbone} by recipe {recipe}")
    of_words = _of_words(world, asked)
    for benchmark, name in sorted(of_words):
        known = class_names.known(world, benchmark)
        yield from class_names.unread(world, benchmark, known, f"outliers.{name}")
    for name in sorted(behind.parts(world, asked)):
        entry = part(world, name)
        if entry["kind"] in OF_CLASSES and entry.get("training") is not None:
            known = class_names.known_of(world, entry["images"])
            yield from class_names.unread_of(world, entry["images"], known, f"parts.{name}")
    for name in sorted({name for _, name in of_words}):
        yield from _unused_hints(world, name, [b for b, each in of_words if each == name])


def _unused_hints(world: World, name: str, benchmarks: Iterable[str]) -> Iterator[str]:
    """Hints of an outlier set for what is no class of its benchmarks, as far as these are known."""
    hints = outlier_set(world, name).get("decoding", {}).get("hints") or {}
    lists = [{*class_names.known(world, b), *class_names.words(world, b)} for b in benchmarks]
    unused = {*hints}.difference(*lists) if all(lists) else set()
    if unused:
        yield (
            f"{world.where('outliers', name)}.decoding.hints: no class is called "
            f"{', '.join(sorted(unused))}; name classes as the benchmark does"
        )


def _of_words(world: World, asked: Asked) -> set[tuple[str, str]]:
    """Benchmark and outlier set where a text-to-image model reads what its classes are called."""
    chosen = {
        (world.trained_on(c.model["benchmark"]), options["set"])
        for c in asked.cells
        if c.model and c.files and (options := detector(world, c.model["recipe"]))
    }
    chosen |= {(world.benchmark_of(e), e["outliers"]) for e in asked.entries if "outliers" in e}
    kinds = {name: options_of(outlier_set(world, name)["kind"]) for _, name in chosen}
    return {(b, name) for b, name in chosen if getattr(kinds[name], "WORDS", False)}


def _of_clip(world: World, asked: Asked) -> set[tuple[str, str, str]]:
    """Benchmark, recipe and backbone of the classifiers out of CLIP."""
    models = behind.trained(world, asked)
    return {m for m in models if method_of(world, {"recipe": m[1], "backbone": m[2]}) in OF_CLIP}


def _without_labels(world: World, asked: Asked) -> Iterator[str]:
    """Models that would learn classes from images without labels."""
    for benchmark, recipe, backbone in sorted(behind.trained(world, asked)):
        train = world.config["benchmarks"][benchmark]["train"]
        dataset = world.image_set(train)["dataset"]
        if world.datasets[dataset]["labelled"]:
            continue
        method = method_of(world, {"recipe": recipe, "backbone": backbone})
        if method not in (*UNLABELLED, *UNTRAINED):
            yield (
                f"recipe {recipe}: {method} learns classes, and {train} is of {dataset}, which is "
                "`labelled: false`; train on images with labels, or by a method without"
            )
