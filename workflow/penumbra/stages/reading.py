"""What the stages that apply a model to image sets share: the reader and the image sets."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from penumbra.audit.artifacts import read_checkpoint, read_parquet
from penumbra.columns import column
from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL
from penumbra.images.shards import ImageSet, classes_of, from_table
from penumbra.networks.inference import Reader, perturbation, restore
from penumbra.stages.common import Job
from penumbra.training.determinism import determinism, pick_device


def open_reader(job: Job) -> Reader:
    """The job's model in eval mode, with the universal map where the job names one.

    Raises:
        PenumbraError: the checkpoint that should give the map has none.
    """
    config = job.config
    determinism(config["threads"])
    checkpoint = read_checkpoint(job.input("model"))
    classes = len(checkpoint["model.fc.weight"])
    perturb = None
    if "map" in job.inputs:
        perturb = perturbation(read_checkpoint(job.input("map")))
        if perturb is None:
            raise PenumbraError(f"{job.input('map')}: holds no universal map")
    model = restore(config["backbone"], classes, checkpoint)
    device = pick_device(config["device"])
    return Reader(model, config["normalisation"], perturb, config["batch_size"], device)


def image_sets(job: Job, names: list[str]) -> Iterator[tuple[str, ImageSet]]:
    """The named sets, one at a time."""
    paths = {path.stem: path for path in job.inputs["images"]}
    for name in names:
        yield name, from_table(read_parquet(paths[name]))


def identified(name: str, role: str, images: ImageSet) -> dict[str, pa.Array]:
    """The columns that say which image a row is about."""
    n = len(images)
    return {
        "image_set": column([name] * n),
        "role": column([role] * n),
        "index": column(np.arange(n, dtype=np.int32)),
        "label": column(images.labels),
    }


def roles(config: dict) -> dict[str, str]:
    """Image sets in the order that they are written, and whether each is test, shifted or ood."""
    shifted = dict.fromkeys(config["shifted"], "shifted")
    return {config["test"]: "test", **shifted, **dict.fromkeys(config["ood"], "ood")}


def known_classes(job: Job) -> list[str]:
    """Names of the classes that the job's model tells apart: those of its training images."""
    path = next(p for p in job.inputs["images"] if p.stem == job.config["train"])
    return classes_of(path)


def as_known(images: ImageSet, classes: list[str]) -> ImageSet:
    """Labels as places in the model's `classes`, matched by name; -1 for a class it never saw."""
    if images.classes == classes:
        return images
    found = [classes.index(c) if c in classes else NO_LABEL for c in images.classes]
    places = np.array([*found, NO_LABEL])  # an image without a label, -1, keeps none
    return dataclasses.replace(images, labels=places[images.labels])
