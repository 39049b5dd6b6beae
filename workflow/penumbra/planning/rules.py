"""What the rule files ask of a world: paths of inputs by wildcards."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from penumbra.errors import PenumbraError
from penumbra.images.layout import missing
from penumbra.planning import needs, scorers, sharding, synthesis
from penumbra.planning.config import extended, resolve_recipe
from penumbra.planning.paths import path
from penumbra.planning.report_specs import figure_inputs
from penumbra.planning.requirements import require_figure
from penumbra.planning.specs import network
from penumbra.planning.tables import CLEAN, inputs
from penumbra.planning.world import World


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint: exactly one of the names; nothing at all where there are none."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def images(world: World, names: Iterable[str]) -> list[str]:
    """Image set artifacts."""
    return [path(world.name, "images", image_set=name) for name in names]


def present(world: World, wc: Any) -> list[str]:
    """Nothing: the files of an image set lie outside, and are no inputs.

    Raises:
        PenumbraError: they are not there.
    """
    for name, split in world.lacking(wc.image_set):
        raise missing(name, world.datasets[name], split, world.root)
    return []


def images_of(world: World, wc: Any, role: str) -> str:
    """The training (`train`) or test images of a benchmark.

    Raises:
        PenumbraError: the wildcards name a seed with leading zeros, as another name of its models.
    """
    seed = getattr(wc, "seed", "0")
    if seed != "0" and seed.startswith("0"):
        raise PenumbraError(
            f"seed{seed}: write seed{seed.lstrip('0') or '0'}, without zeros before"
        )
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
    try:
        wanted = json.loads(file.read_bytes()) if file.is_file() else {}
    except ValueError as error:
        raise PenumbraError(f"{file}: not valid JSON: {error}; save it anew") from error
    for key in ("mean", "std"):
        own = wanted.get(f"image_{key}", given[key])
        if any(abs(a - b) > 1e-3 for a, b in zip(own, given[key], strict=True)):
            raise PenumbraError(
                f"benchmarks.{benchmark}.normalisation.{key}: this CLIP wants {own}; make a "
                "benchmark for it that differs in its normalisation"
            )


def model(world: World, wc: Any) -> str:
    """The checkpoint of the model that the wildcards name.

    Raises:
        PenumbraError: they name a shard of a reading that this world does not make.
    """
    if hasattr(wc, "shard"):
        _check_shard(wc.shard, sharding.names(world), "compute.shards")
    return path(world.name, "models", **_trained(world, wc))


def _check_shard(shard: str, valid: list[str], where: str) -> None:
    if shard not in valid:
        told = valid[0] if len(valid) == 1 else f"{valid[0]} to {valid[-1]}"
        raise PenumbraError(f"there is no shard {shard}; {where} makes {told}")


def universal_map(world: World, wc: Any) -> list[str]:
    """The checkpoint whose map is added to the input: none for clean inputs."""
    if wc.input == CLEAN:
        return []
    recipe = wc.input.removeprefix("map-")
    resolve_recipe(world.config["recipes"], recipe, wc.backbone)
    return [path(world.name, "models", **{**_trained(world, wc), "recipe": recipe})]


def blocks(world: World, wc: Any) -> str:
    """How the block was chosen that a latency is measured at.

    Raises:
        PenumbraError: the scorer reads no block.
    """
    scorers.check_latency(world, wc)
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
    file = f"config/reported/{table}.csv"
    return [file] if (world.folder / "reported" / f"{table}.csv").is_file() else []


def figure_files(world: World, figure: str) -> list[str]:
    """What a figure is drawn from.

    Raises:
        PenumbraError: all of its data that are missing, or an input that cannot be.
    """
    require_figure(world, figure)
    try:
        found = figure_inputs(world, figure)
    except PenumbraError as error:
        raise PenumbraError(f"config/tables/{figure}.yaml: {error}") from error
    files = (file for listed in found.values() for file in listed)
    return list(dict.fromkeys(files))


def all_cores(workflow: Any) -> int:
    """The cores of a local call; 1 where none are set, as with a cluster or a report."""
    return workflow.resource_settings.cores or 1


def outlier_parts(world: World, wc: Any) -> dict[str, list[str]]:
    """What an outlier set is made with; the anchors are the benchmark's training images.

    Raises:
        PenumbraError: the wildcards name a shard that the set has not.
    """
    entry = synthesis.outlier_set(world, wc.outliers)
    _check_shard(wc.shard, synthesis.shards(world, wc.outliers), f"outliers.{wc.outliers}.shards")

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
