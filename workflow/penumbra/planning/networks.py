"""What applies a network to images: what many rules read of a backbone, a model and compute."""

import ast
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.planning.config import resolve_recipe
from penumbra.planning.own_code import own_code
from penumbra.planning.world import World
from penumbra.store.closure import PACKAGE


def network(world: World, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What jobs read of a `backbone` and of its `recipe`'s head, and the modules that they name.

    A published one has a normalisation of its own, and so reads that of the `benchmark`'s images.

    Raises:
        PenumbraError: the file of a network of the user's own is not found.
    """
    backbone = names["backbone"]
    entry = world.backbone(backbone)
    config = {"network": entry["network"], **entry["options"]}
    if "folder" in config:
        config["folder"] = str(Path(world.config["weights_root"]) / config["folder"])
        if benchmark := names.get("benchmark"):
            config["normalisation"] = world.config["benchmarks"][benchmark]["normalisation"]
    if entry["network"] == "python":
        config |= own_code(config["name"], world.places, f"backbones.{backbone}.network")
    roots = [f"penumbra.networks.backbones.{entry['network']}"]
    # Snakemake's wildcards are a list of values with names: `in` would look among the values.
    recipe = names.get("recipe")
    head = head_of(world, backbone, recipe) if recipe else None
    if head is not None:
        config["head"] = head
        roots.append("penumbra.networks.layers.heads")
    return config, roots


def head_of(world: World, backbone: str, recipe: str) -> dict[str, Any] | None:
    """The last layer that a recipe puts in place of the linear one."""
    return resolve_recipe(world.config["recipes"], recipe, backbone).get("head")


@functools.cache
def is_of_tokens(network: str) -> bool:
    """Whether a network that ships states `blocks = ()`: it has no feature maps to read or perturb.

    Its module is not imported. Of other networks that is known when they are built.
    """
    file = PACKAGE / "networks" / "backbones" / f"{network}.py"
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])
    stated = (node for node in ast.walk(tree) if isinstance(node, ast.Assign))
    return any(ast.unparse(node).startswith("blocks = ()") for node in stated)


def given_files(world: World, recipe: str, backbone: str) -> dict[str, str]:
    """By key of a pretrained recipe, the files that it names, below weights_root."""
    options = resolve_recipe(world.config["recipes"], recipe, backbone)["options"]
    root = Path(world.config["weights_root"])
    return {key: str(root / options[key]) for key in ("weights", "classes") if options.get(key)}


def reader(world: World, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What applies a model to images: backbone, normalisation, compute; the module it names."""
    backbone, roots = network(world, names)
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


def float32_reader(world: World, names: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The same where the network is run in float32 whatever the precision of features is.

    So are norm ratios and scorers of the network; another precision reruns neither.
    """
    config, roots = reader(world, names)
    return {**config, "precision": "float32"}, roots


def image_roles(world: World, benchmark: str) -> dict[str, Any]:
    """Which image sets of a benchmark play which role, as the stages that read them want it."""
    entry = world.config["benchmarks"][benchmark]
    return {
        "train": entry["train"],
        "test": entry["test"],
        "shifted": entry.get("shifted", []),
        "ood": world.all_ood(benchmark),
    }
