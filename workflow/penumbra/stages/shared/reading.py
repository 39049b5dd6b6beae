"""What the stages that apply a model to image sets share: the reader and the image sets."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, classes_of, row_group, row_group_sizes
from penumbra.images.known import check_known, relabelled
from penumbra.networks.inference import Reader, perturbation, restore
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import provenance_of, read_checkpoint
from penumbra.store.columns import column
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
    return Reader(
        model, config["normalisation"], perturb, config["batch_size"], device,
        channels_last=config["channels_last"],
        lowered=config["precision"] == "bfloat16",
    )  # fmt: skip


@dataclass(frozen=True)
class RowGroup:
    """Images of one stored group of a set; `start` is the first one's place in the whole set."""

    name: str
    start: int
    images: ImageSet

    def identified(self, role: str) -> dict[str, pa.Array]:
        """The columns that say which image a row is about."""
        n = len(self.images)
        return {
            "image_set": column([self.name] * n),
            "role": column([role] * n),
            "index": column(np.arange(self.start, self.start + n, dtype=np.int32)),
            "label": column(self.images.labels),
        }


def image_path(job: Job, name: str) -> Path:
    """The file of one of the job's image sets."""
    return next(path for path in job.inputs["images"] if path.stem == name)


def image_groups(job: Job, names: list[str]) -> Iterator[RowGroup]:
    """The named sets group by group, so that memory is that of one group.

    A job of one shard is given its run of the groups: shards hold about equally many images.
    """
    listed = [
        (name, number, size)
        for name in names
        for number, size in enumerate(row_group_sizes(image_path(job, name)))
    ]
    ends = np.cumsum([size for _, _, size in listed])
    index, count = map(int, job.wildcards.get("shard", "0of1").split("of"))
    start = 0
    for (name, number, size), end in zip(listed, ends, strict=True):
        start = 0 if number == 0 else start
        if (end - size / 2) * count // ends[-1] == index:
            yield RowGroup(name, start, row_group(image_path(job, name), number))
        start += size


def roles(config: dict) -> dict[str, str]:
    """Image sets in the order that they are written, and whether each is test, shifted or ood."""
    shifted = dict.fromkeys(config["shifted"], "shifted")
    return {config["test"]: "test", **shifted, **dict.fromkeys(config["ood"], "ood")}


def known_classes(job: Job) -> list[str]:
    """Names of the classes that the job's model tells apart: those of its training images.

    Raises:
        PenumbraError: an ID image set does not fit them (see `check_known`).
    """
    config = job.config
    classes = classes_of(image_path(job, config["train"]))
    tested = [config[role] for role in ("heldout", "test") if config.get(role)]
    given = {name: classes_of(image_path(job, name)) for name in (*tested, *config["shifted"])}
    trained = provenance_of(job.input("model")).get("wildcards", {}).get("benchmark")
    own = trained == job.wildcards["benchmark"]  # other ones say `models_of`
    check_known(given, classes, config["train"], tested if own else ())
    return classes


def as_known(group: RowGroup, role: str, classes: list[str]) -> RowGroup:
    """Labels of ID images as places in the model's `classes`; OOD images keep their own."""
    if role == "ood":
        return group
    return dataclasses.replace(group, images=relabelled(group.images, classes, group.name))
