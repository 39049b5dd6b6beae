"""What the rule files ask of a world: paths of inputs by wildcards."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.planning import needs, scorers, synthesis
from penumbra.planning.config import extended, load_yaml, resolve_recipe
from penumbra.planning.paths import path
from penumbra.planning.report_specs import MODEL_AND_INPUT, figure_inputs, shown_scorers
from penumbra.planning.specs import network
from penumbra.planning.tables import CLEAN, inputs
from penumbra.planning.world import World


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint: exactly one of the names; nothing at all where there are none."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def images(world: World, names: Iterable[str]) -> list[str]:
    """Image set artifacts."""
    return [path(world.name, "images", image_set=name) for name in names]


def images_of(world: World, wc: Any, role: str) -> str:
    """The training (`train`) or test images of a benchmark."""
    return images(world, [world.config["benchmarks"][wc.benchmark][role]])[0]


def all_images(world: World, wc: Any) -> list[str]:
    """Training, test, shifted and OOD images of a benchmark."""
    benchmark = world.config["benchmarks"][wc.benchmark]
    ours = [benchmark["train"], benchmark["test"], *benchmark.get("shifted", [])]
    return images(world, [*ours, *world.all_ood(wc.benchmark)])


def heldout_images(world: World, wc: Any) -> list[str]:
    """Held-out images of a benchmark, where it names some."""
    name = world.config["benchmarks"][wc.benchmark].get("heldout")
    return images(world, [name] if name else [])


def fit_images(world: World, wc: Any) -> list[str]:
    """The images that a scorer is fitted on through the network."""
    role = needs.fit_role(scorers.scorer(world, wc))
    return [images_of(world, wc, role)]


def scorers_that(world: World, of_network: bool) -> str:
    """A wildcard constraint: the scorers that are given the network, or those of arrays."""
    names = world.config["scorers"]
    return one_of(name for name in names if scorers.is_of_network(world, name) == of_network)


def fitted_scorers(world: World, through_network: bool) -> str:
    """A wildcard constraint: the scorers that are fitted through the network, or on arrays."""
    found = (
        name
        for name, entry in world.config["scorers"].items()
        if needs.fit_needs(entry)
        and scorers.is_fitted_through_network(world, name) == through_network
    )
    return one_of(found)


def recipes_that(world: World, are_zero_shot: bool) -> str:
    """A wildcard constraint: the recipes of CLIP's zero-shot classifiers, or those that train."""
    recipes = world.config["recipes"]
    methods = {name: extended("recipe", recipes, name).get("method") for name in recipes}
    return one_of(n for n, method in methods.items() if (method == "zero_shot") == are_zero_shot)


def scores(world: World, wc: Any) -> list[str]:
    """The scores that tables and figures show of one model and input, each once.

    Raises:
        WorkflowError: they show none.
    """
    names = {**synthesis.model_of(wc), "input": wc.input}
    shown = shown_scorers(world).get(tuple(names[key] for key in MODEL_AND_INPUT), [])
    if not shown:
        raise WorkflowError(
            f"no table or figure of the world {world.name} shows a metric of this model; add a row "
            "to one, or ask for its scores: results/<world>/scores/…"
        )
    return [path(world.name, "scores", **names, scorer=scorer) for scorer in shown]


def clip_files(world: World, wc: Any) -> list[str]:
    """The files of a zero-shot classifier's CLIP.

    Raises:
        PenumbraError: the backbone has no such folder.
    """
    folder = Path(network(world, wc.backbone)[0].get("folder", ""))
    if not (folder / "config.json").is_file():
        raise PenumbraError(
            f"backbones.{wc.backbone}: {folder} holds no CLIP for the recipe {wc.recipe}; save one "
            "there with transformers' save_pretrained()"
        )
    _check_normalisation(world, wc.benchmark, folder / "preprocessor_config.json")
    return sorted(str(file) for file in folder.iterdir() if file.is_file())


def _check_normalisation(world: World, benchmark: str, file: Path) -> None:
    """CLIP's images are normalised by its own mean and std, which lie in `file`."""
    given = world.config["benchmarks"][benchmark]["normalisation"]
    wanted = load_yaml(file) if file.is_file() else {}  # JSON is YAML
    for key in ("mean", "std"):
        own = wanted.get(f"image_{key}", given[key])
        if any(abs(a - b) > 1e-3 for a, b in zip(own, given[key], strict=True)):
            raise PenumbraError(
                f"benchmarks.{benchmark}.normalisation.{key}: this CLIP wants {own}; make a "
                "benchmark for it that differs in its normalisation"
            )


def model(world: World, wc: Any) -> str:
    """The checkpoint of the model that the wildcards name."""
    return path(world.name, "models", **_trained(world, wc))


def universal_map(world: World, wc: Any) -> list[str]:
    """The checkpoint whose map is added to the input: none for clean inputs."""
    if wc.input == CLEAN:
        return []
    recipe = wc.input.removeprefix("map-")
    resolve_recipe(world.config["recipes"], recipe, wc.backbone)
    return [path(world.name, "models", **{**_trained(world, wc), "recipe": recipe})]


def blocks(world: World, wc: Any) -> str:
    """How the block was chosen that a latency is measured at."""
    block = scorers.scorer(world, wc)["block"]
    return path(world.name, "blocks", **synthesis.model_of(wc), input=wc.input, block=block)


# How many tables and figures the papers have.
PAPERS = {"uat_table": 23, "uat_figure": 5, "badood_table": 11, "badood_figure": 11}


def undeclared(world: World) -> list[str]:
    """Tables and figures that the papers or config/tables have, and this world has not."""
    known = {file.stem for file in (world.folder / "tables").glob("*.yaml")}
    known |= {f"{kind}{i:02}" for kind, count in PAPERS.items() for i in range(1, count + 1)}
    return sorted(known - {*world.config["tables"], *world.config["figures"]})


def refuse(world: World, name: str, wc: Any) -> list[str]:
    """The inputs of a table or figure that is not of this world: none.

    Raises:
        WorkflowError: why, and what to do.
    """
    kind = "figures" if "figure" in name else "tables"
    if (world.folder / "tables" / f"{name}.yaml").is_file():
        raise WorkflowError(
            f"{name} is not among the {kind} of the world {world.name}: add it to `{kind}` in your "
            f"config file. It has: {', '.join(world.config[kind])}"
        )
    raise WorkflowError(
        f"{name} stands in the paper, but nothing says yet how it is computed: write "
        f"config/tables/{name}.yaml (docs/extending.md), and add it to `{kind}`"
    )


def cells(world: World, table: str) -> list[str]:
    """What a table's cells are read from."""
    return inputs(world.cells(table))


def reported(world: World, table: str) -> list[str]:
    """The paper's printed numbers for a table, if the paper has that table."""
    file = world.folder / "reported" / f"{table}.csv"
    return [os.path.relpath(file)] if file.is_file() else []


def figure_files(world: World, figure: str) -> list[str]:
    """What a figure is drawn from."""
    files = (file for listed in figure_inputs(world, figure).values() for file in listed)
    return list(dict.fromkeys(files))


def all_cores(workflow: Any) -> int:
    """The cores of a local call; 1 where none are set, as with a cluster or a report."""
    return workflow.resource_settings.cores or 1


def outlier_parts(world: World, wc: Any) -> dict[str, list[str]]:
    """What an outlier set is made with; the anchors are the benchmark's training images."""
    entry = synthesis.outlier_set(world, wc.outliers)

    def made(name: str) -> list[str]:
        return [path(world.name, "parts", part=name)]

    return {
        "representations": [synthesis.anchors(world, wc.benchmark, wc.outliers)],
        "rdm": made(entry["rdm"]),
        "generator": made(entry["generator"]),
    }


def category_judge(world: World, wc: Any) -> list[str]:
    """The model that sorts outliers into categories, where it is one of this workflow."""
    entry = world.config["categories"]
    if entry["judge"] != "classifier":
        return []
    return [path(world.name, "models", **{**synthesis.model_of(wc), **entry["classifier"]})]


def _trained(world: World, wc: Any) -> dict[str, str]:
    return {**synthesis.model_of(wc), "benchmark": world.trained_on(wc.benchmark)}
