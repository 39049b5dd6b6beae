"""How much there is to do: images of a set, arithmetic of networks, from the config alone.

Estimates, from which Slurm is told how long a job may take: a factor of two does no harm.
"""

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from penumbra.images.classes import class_list
from penumbra.planning import synthesis
from penumbra.planning.world import World

DIGITS = 1797  # images of scikit-learn's digits, of which splits are fractions
CLASS = 1300  # images of a class in sets whose publisher prints no number, as in ImageNet


@functools.cache
def images(world: World, image_set: str) -> int:
    """About how many images a set holds; more rather than fewer."""
    entry = world.image_set(image_set)
    count = entry.get("count") or published(world, entry["dataset"], entry["split"])
    low, high = entry.get("share", (0, 1))
    count = int(count * (high - low)) + 1
    own = _own_classes(world, image_set)
    if own is not None:
        classes = world.datasets[entry["dataset"]].get("classes", 1)
        count = min(count, int(2 * count * own / classes) + 1)
    return min(count, entry.get("limit", count))


def published(world: World, name: str, split: str) -> int:
    """About how many images a data set's split holds, of which an image set may keep some."""
    dataset = world.datasets[name]
    if "count" in dataset["splits"][split]:
        return dataset["splits"][split]["count"]
    if "fraction" in dataset["splits"][split]:
        return int(dataset["splits"][split]["fraction"] * DIGITS)
    if "per_cell" in dataset:
        return dataset["per_cell"] * dataset["classes"]
    if "base" in dataset:
        return published(world, dataset["base"], split)
    return dataset.get("classes", 1) * CLASS


def _own_classes(world: World, image_set: str) -> int | None:
    """How many classes an image set keeps, or None where it keeps all."""
    entry = world.image_set(image_set)
    listed = class_list(world.folder / "classes", entry.get("classes_file"))
    own = entry.get("classes", listed)
    return None if own is None else len(own)


def bytes_of(world: World, image_set: str) -> int:
    """Bytes of a set's decoded pixels."""
    return images(world, image_set) * 3 * world.size(image_set) ** 2


def outliers(world: World, benchmark: str, name: str) -> int:
    """How many outliers a set has."""
    train = world.config["benchmarks"][benchmark]["train"]
    per_class = synthesis.outlier_set(world, name)["per_class"]
    if per_class is None:
        return images(world, train)
    own = _own_classes(world, train)
    return per_class * (own or world.datasets[world.image_set(train)["dataset"]]["classes"])


class Network(NamedTuple):
    """GFLOP of one image at a side and width, and features per unit of width."""

    gflop: float
    side: int
    width: int
    features: int


# Multiplications and additions of all convolutions and products of matrices; residual networks
# with ImageNet's stem begin with maps of a sixteenth of the area.
NETWORKS = {
    "resnet18": Network(1.11, 32, 64, 8),
    "resnet34": Network(2.32, 32, 64, 8),
    "resnet50": Network(2.59, 32, 64, 32),
    "resnet101": Network(5.03, 32, 64, 32),
    "vgg11": Network(0.306, 32, 64, 8),
    "wrn": Network(10.49, 32, 10, 64),
    "t2t_vit": Network(9.57, 224, 384, 1),
    "clip": Network(35.2, 224, 512, 1),
}


def network(world: World, backbone: str, side: int) -> tuple[float, int]:
    """GFLOP of a forward pass of one image, and the number of its features."""
    entry = world.backbone(backbone)
    options = entry["options"]
    known = NETWORKS.get(entry["network"], NETWORKS["resnet50"])  # one of one's own
    width = options.get("widen", options.get("width", known.width))
    scale = (side / known.side) ** 2 * (width / known.width) ** 2
    if options.get("stem") == "imagenet":
        scale /= 16
    if entry["network"] == "wrn":
        scale *= (options["depth"] - 4) / 24
    if entry["network"] == "t2t_vit":  # its first tokens are as wide whatever the width
        scale = scale * options.get("depth", 14) / 14 + 0.06 * (side / known.side) ** 2
    return known.gflop * scale, known.features * width


def part(world: World, name: str) -> float:
    """GFLOP of one forward pass of a part: of an image, a representation, or an iteration."""
    entry = synthesis.part(world, name)
    options: Mapping[str, Any] = entry.get("options", {})
    width = options.get("width")
    if entry["kind"] == "encoder":
        tokens = (options.get("image_size", 224) / options.get("patch", 16)) ** 2
        return transformer(options.get("depth", 24), width or 1024, tokens + 1)
    if entry["kind"] == "rdm":
        return 4.5e-9 * options.get("blocks", 12) * (width or 1536) ** 2
    if entry["kind"] == "mage":
        depth = options.get("depth", 24) + options.get("decoder_depth", 8)
        return transformer(depth, width or 1024, _tokens(world, entry) + 1)
    if entry["kind"] == "tokenizer":
        return 315 * ((width or 128) / 128) ** 2 * (_pixels(world, entry) / 256) ** 2
    return {"dit": 237.2, "ldm": 114.1}[entry["kind"]]


def outlier_side(world: World, name: str) -> int:
    """Side of an outlier's image in pixels."""
    entry = synthesis.outlier_set(world, name)
    return _pixels(world, synthesis.part(world, entry["generator"]))


def _pixels(world: World, entry: Mapping[str, Any]) -> int:
    """Side of the images that a part is trained on; that of the published ones."""
    return world.size(entry["images"]) if entry.get("training") else 256


def _tokens(world: World, entry: Mapping[str, Any]) -> int:
    """How many tokens an image has."""
    tokenizer = synthesis.part(world, entry["tokenizer"])
    halvings = len(tokenizer.get("options", {}).get("multipliers", (1, 1, 2, 2, 4))) - 1
    return (_pixels(world, tokenizer) // 2**halvings) ** 2


def transformer(depth: int, width: int, tokens: float) -> float:
    """GFLOP of so many blocks of attention and a four times as wide MLP."""
    return depth * tokens * (24 * width**2 + 4 * tokens * width) / 1e9


def decoding(world: World, name: str) -> float:
    """GFLOP of one outlier's image, from its embedding."""
    entry = synthesis.outlier_set(world, name)
    generator = synthesis.part(world, entry["generator"])
    steps = {"dit": 250, "ldm": 200}.get(generator["kind"], entry["decoding"].get("steps", 20))
    both = 2 if entry["decoding"].get("guidance") else 1
    pixels = part(world, generator["tokenizer"]) if "tokenizer" in generator else 2500
    return steps * both * part(world, entry["generator"]) + pixels


def guidance(world: World, name: str) -> float:
    """GFLOP of one outlier's embedding: each step estimates and, guided, differentiates."""
    entry = synthesis.outlier_set(world, name)
    found = entry["guidance"]
    steps = found["start"] * found["grid"] / 1000 + 1
    return 3 * steps * (1 + found.get("samples", 1)) * part(world, entry["rdm"])


def training(recipe: Mapping[str, Any]) -> float:
    """Forward passes that training is worth, for each image in all epochs."""
    options = recipe.get("options", {})
    extra = 0.0
    if recipe["method"] == "pgd":
        extra = options["steps"]
    elif recipe["method"] == "uat":
        extra = 1.5 * options["steps"] / options["tau"]
        extra += options["inner_attack"]["steps"] / options["tau"] if options["inner_attack"] else 0
    elif recipe["method"] == "energy":
        extra = options["outlier_batch"] / recipe["batch_size"]
    return 3 * recipe["epochs"] * (1 + extra)


def scorer(world: World, name: str) -> float:
    """Forward passes that a scorer of the network is worth, for each image."""
    entry = world.config["scorers"][name]
    return 3 * (1 + entry.get("options", {}).get("steps", 1))
