"""Outputs: a model applied to training, held-out, test, OOD images -> logits and features."""

import pyarrow as pa

from penumbra.audit.artifacts import write_parquet
from penumbra.columns import vectors
from penumbra.stages.common import Job, main
from penumbra.stages.reading import as_known, identified, image_sets, open_reader, roles


def run(job: Job) -> None:
    """One forward pass over every image set, written set by set."""
    reader = open_reader(job)
    config = job.config
    heldout = {config["heldout"]: "heldout"} if config["heldout"] else {}
    listed = {config["train"]: "train", **heldout, **roles(config)}
    classes: list[str] = []

    def tables():
        nonlocal classes
        for name, images in image_sets(job, list(listed)):
            classes = classes or images.classes  # the training images come first
            if listed[name] != "ood":
                images = as_known(images, classes)
            found = reader.outputs(images.pixels)
            columns = identified(name, listed[name], images)
            yield pa.table(columns | {key: vectors(value) for key, value in found.items()})

    write_parquet(job.outputs["outputs"], tables(), job.provenance())
    job.record(job.outputs["outputs"])


if __name__ == "__main__":
    main(run)
