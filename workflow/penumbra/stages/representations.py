"""Representations: an encoder applied to an image set -> one vector an image."""

import json
from collections.abc import Iterator

import pyarrow as pa

from penumbra.images.image_set import classes_of, row_group, row_group_sizes
from penumbra.networks.encoding import represented
from penumbra.networks.loading.official import fingerprint
from penumbra.outliers.store import ENCODER
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_checkpoint, write_parquet
from penumbra.store.columns import column, vectors
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """In eval mode, batch norm on running statistics; the table names its encoder."""
    config = job.config
    determinism(config["threads"])
    state = read_checkpoint(job.input("encoder"))
    encoder = load("networks.encoders", config["kind"]).of(state, config["options"])
    encoder = encoder.to(pick_device(config["device"]))
    lowered = config["precision"] == "bfloat16"
    path = job.input("images")
    sizes = row_group_sizes(path)
    classes = json.dumps(classes_of(path))
    meta = {ENCODER: fingerprint(state).encode(), b"classes": classes.encode()}

    def tables() -> Iterator[pa.Table]:
        for images in (row_group(path, number) for number in range(len(sizes))):
            values = represented(
                encoder, images.pixels, images.origins, config["batch_size"], lowered
            )
            columns = {
                "origin": column(images.origins),
                "label": column(images.labels),
                "representation": vectors(values),
            }
            yield pa.table(columns).replace_schema_metadata(meta)

    write_parquet(job.outputs["representations"], tables(), job.provenance())
    job.record(job.outputs["representations"], images=sum(sizes))


if __name__ == "__main__":
    main(run)
