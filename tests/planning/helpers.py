"""Worlds as a call makes them: read, checked, and held against what is there."""

from penumbra.images.layout import candidates
from penumbra.planning.checks import check
from penumbra.planning.requirements import require
from penumbra.planning.tables import Tables
from penumbra.planning.world import World
from penumbra.planning.yaml_files import load_yaml

OVERLAYS = {
    "embedded-full": ["embedded-full"],
    "badood-variants": ["badood-variants"],
    "cifar": ["cifar"],
    "cifar-cpu": ["cifar", "cifar-cpu"],
    "cifar-jpeg": ["cifar", "cifar-jpeg"],
    "cifar-jpeg-small": ["cifar", "cifar-jpeg", "cifar-jpeg-small"],
    "cifar-variants": ["cifar", "cifar-variants"],
    "tiny-imagenet": ["tiny-imagenet"],
    "tiny-imagenet-cpu": ["tiny-imagenet", "tiny-imagenet-cpu"],
    "tiny-imagenet-cpu64": ["tiny-imagenet", "tiny-imagenet-cpu", "tiny-imagenet-cpu64"],
    "cifar100": ["cifar100"],
    "imagenet": ["imagenet"],
    "imagenet1k": ["imagenet1k"],
    "midog": ["midog"],
    "spacenet8": ["spacenet8"],
    "midog-spacenet8": ["midog", "spacenet8", "midog-spacenet8"],
    "adjacent": ["adjacent"],
}


def checked(config, folder, files):
    made = World(config, folder, files)
    check(made)
    return made


def lay_data(folder, there):
    """Empty folders where every stored data set of the catalogue would lie below `there`."""
    for name, entry in load_yaml(folder / "datasets.yaml").items():
        for split in entry["splits"]:
            if entry["reader"] == "stored":
                place = dict(candidates(name, entry, split, there))["folder"]
                place.mkdir(parents=True, exist_ok=True)


def required(world):
    require(world, Tables(world))
