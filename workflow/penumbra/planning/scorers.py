"""A scorer as a benchmark and a backbone have it, and whether it can be fitted and read there."""

from collections.abc import Mapping
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.planning import needs
from penumbra.planning.blocks import blocks, check_block
from penumbra.planning.config import merge, resolve_recipe
from penumbra.planning.networks import head_of, is_of_tokens
from penumbra.planning.options_of_models import UNLABELLED
from penumbra.planning.outlier_training import check_exposure
from penumbra.planning.parts import weights_file
from penumbra.planning.paths import CLEAN
from penumbra.planning.world import World

OWN = ("module", "block", "options", "fit", "weights", "second")


def scorer(world: World, names: Mapping[str, str]) -> dict[str, Any]:
    """The entry of `names["scorer"]` with what it has of its own for benchmark and backbone.

    The benchmark is the one that the model was trained on: a parameter belongs to ID data.
    """
    entry = world.config["scorers"][names["scorer"]]
    merged = {key: entry[key] for key in OWN if key in entry}
    benchmark = world.trained_on(names["benchmark"])
    for kind, name in (("benchmarks", benchmark), ("backbones", names["backbone"])):
        merged = merge(merged, entry.get(kind, {}).get(name, {}))
    return merged


def check(world: World, names: Mapping[str, str]) -> None:
    """Refuse a scorer that could not be fitted or read.

    Raises:
        PenumbraError: it wants held-out images that the benchmark lacks, its block is not named,
            its weights are not there, or it is not for such a network or training; or the training
            crops images away.
    """
    entry = scorer(world, names)
    wanted = needs.needs(entry)
    name = names["scorer"]
    _check_maps(world, wanted, names)
    _check_head(world, entry, names)
    _check_classes(world, entry, names)
    _check_second(entry, names)
    check_exposure(world, names)
    _check_crops(world, names)
    _check_learned(world, entry, names)
    if needs.of_block(wanted) and "block" not in entry:
        raise PenumbraError(f"scorer {name}: it reads a feature map; name its `block`, or selected")
    _check_block(world, entry, names)
    if "weights" in entry and not weights_file(world, entry).is_file():
        raise PenumbraError(
            f"scorer {name}: {weights_file(world, entry)} is missing; put the safetensors file of "
            "its weights there, or name another folder with weights_root"
        )
    if "weights" in entry or not needs.fit_needs(entry):
        return
    benchmark = world.trained_on(names["benchmark"])
    role = needs.fit_role(entry)
    if role not in world.config["benchmarks"][benchmark]:
        raise PenumbraError(
            f"scorer {name} is fitted on held-out ID images, and benchmark {benchmark} names no "
            "`heldout`; name an image set there, or give the scorer `fit: {role: train}`"
        )


def check_latency(world: World, names: Mapping[str, str]) -> None:
    """Refuse a scorer whose latency is not measured.

    Raises:
        PenumbraError: it reads no block, or could not be read at all (see `check`).
    """
    check(world, names)
    if not needs.of_block(needs.needs(scorer(world, names))):
        raise PenumbraError(
            f"scorer {names['scorer']}: latency is measured of block scorers only; name another, "
            "as fn"
        )


def _check_maps(world: World, wanted: tuple[str, ...], names: Mapping[str, str]) -> None:
    """A network of tokens has no block to read, and no place for UAT's map but the input."""
    backbone, recipe = names["backbone"], names["recipe"]
    network = world.backbone(backbone)["network"]
    if not is_of_tokens(network):
        return
    if needs.of_block(wanted):
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads feature maps, and backbone {backbone}, of the "
            f"network {network}, has none; name a scorer of features or logits, as ccfn-vit"
        )
    options = resolve_recipe(world.config["recipes"], recipe, backbone).get("options", {})
    if method_of(world, names) == "uat" and options["position"] != "input":
        raise PenumbraError(
            f"recipe {recipe}: its map is added at {options['position']}, and backbone {backbone}, "
            f"of the network {network}, has no feature maps; say `position: input`"
        )


def _check_block(world: World, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """The block that a scorer names is in the network, and the map that is added reaches it."""
    backbone = world.backbone(names["backbone"])
    known = blocks(backbone["network"], backbone["options"])
    if "block" not in entry or known is None:
        return
    position = None
    if (given := names.get("input", CLEAN)) != CLEAN:
        learned = given.removeprefix("map-")
        recipe = resolve_recipe(world.config["recipes"], learned, names["backbone"])
        position = recipe.get("options", {}).get("position")
    try:
        check_block(entry["block"], f"backbone {names['backbone']}", known, position)
    except PenumbraError as error:
        raise PenumbraError(f"scorer {names['scorer']}: {error}") from error


def _check_head(world: World, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """A head of a recipe's own is no linear layer, and GODIN's score is of no other than its."""
    head = head_of(world, names["backbone"], names["recipe"])
    if entry["module"] == "godin" and (head is None or head.get("scale") is not None):
        raise PenumbraError(
            f"scorer {names['scorer']}: recipe {names['recipe']} trains no GODIN head; take one "
            "with `head: {similarity: cosine}`, as godin"
        )
    reads_head = "head" in (*needs.needs(entry), *needs.fit_needs(entry))
    if head is not None and reads_head:
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads a linear last layer, and recipe "
            f"{names['recipe']} trains a head of its own"
        )


def method_of(world: World, names: Mapping[str, Any]) -> str:
    """The training method of a model."""
    recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
    return str(recipe["method"])


def _check_classes(world: World, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Of a model that is trained without labels there are features and maps, and no logits."""
    read = {*needs.needs(entry), *needs.fit_needs(entry)} & {"logits", "head", *needs.NETWORK}
    if read and method_of(world, names) in UNLABELLED:
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads {', '.join(sorted(read))}, and recipe "
            f"{names['recipe']} trains without labels, for features alone; name a scorer of "
            "features or of a block: knn, ssd, fn"
        )


def _check_crops(world: World, names: Mapping[str, str]) -> None:
    """A window of an image padded by its own side may hold nothing of the image."""
    recipe = resolve_recipe(world.config["recipes"], names["recipe"], names["backbone"])
    padding = recipe.get("augment", {}).get("crop_padding", 0)
    train = world.config["benchmarks"][world.trained_on(names["benchmark"])]["train"]
    if padding >= world.size(train):
        raise PenumbraError(
            f"{world.where('recipes', names['recipe'])}.augment.crop_padding: {padding} pixels "
            f"around images of {world.size(train)} leave crops without an image; an eighth of the "
            "side is usual"
        )


def _check_second(entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """A scorer of two models names the recipe of the second, and one of one model none."""
    wanted = needs.second(entry)
    if wanted and "second" not in entry:
        raise PenumbraError(
            f"scorer {names['scorer']}: its {', '.join(wanted)} are those of a second model; name "
            "the recipe that trains it as `second`"
        )
    if "second" in entry and not wanted:
        raise PenumbraError(
            f"scorer {names['scorer']}: module {entry['module']} reads one model; drop its `second`"
        )
    if wanted and entry["second"] == names["recipe"]:
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads two models, and recipe {names['recipe']} is that "
            "of its `second`; name the first one's recipe in the row"
        )


def second_model(world: World, names: Mapping[str, str]) -> dict[str, str] | None:
    """The wildcards of the second model that a scorer reads, of another recipe; None of one."""
    recipe = scorer(world, names).get("second")
    return None if recipe is None else {**names, "recipe": recipe}


def _check_learned(world: World, entry: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """What a training method learns for its scorer, no other has."""
    method = needs.learned(entry)
    if method is not None and method_of(world, names) != method:
        raise PenumbraError(
            f"scorer {names['scorer']}: it reads what the method {method} learns, and recipe "
            f"{names['recipe']} is of method {method_of(world, names)}; name a recipe of {method}"
        )
