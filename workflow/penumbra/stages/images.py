"""Image set: files of a data set -> one Parquet of decoded pixels and labels."""

import os
from pathlib import Path

from penumbra.audit.artifacts import write_parquet
from penumbra.images.shards import to_table
from penumbra.plugins import load
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """Read, check, write."""
    config = job.config
    root = os.environ.get("PENUMBRA_DATA_ROOT")
    reader = load("images.readers", config["dataset"]["reader"])
    images = reader.read(config, Path(root) if root else None)
    images.check(config["name"])
    job.report(f"{len(images)} images of {tuple(images.pixels.shape[1:])}")
    write_parquet(job.outputs["images"], to_table(images), job.provenance())
    job.record(job.outputs["images"])


if __name__ == "__main__":
    main(run)
