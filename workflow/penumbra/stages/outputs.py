"""Outputs: a model applied to training, held-out, test, OOD images -> logits and features."""

import pyarrow as pa

from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import as_known, image_groups, known_classes, open_reader, roles
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import vectors


def run(job: Job) -> None:
    """One forward pass over every image set, written group by group."""
    reader = open_reader(job)
    config = job.config
    heldout = {config["heldout"]: "heldout"} if config["heldout"] else {}
    listed = {config["train"]: "train", **heldout, **roles(config)}
    classes = known_classes(job)

    def tables():
        for group in image_groups(job, list(listed)):
            role = listed[group.name]
            group = as_known(group, role, classes)
            outputs = reader.outputs(group.images.pixels)
            columns = group.identified(role)
            yield pa.table(columns | {key: vectors(value) for key, value in outputs.items()})

    write_parquet(job.outputs["outputs"], tables(), job.provenance())
    job.record(job.outputs["outputs"])


if __name__ == "__main__":
    main(run)
