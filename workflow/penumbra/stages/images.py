"""Image set: files of a data set -> one Parquet of decoded pixels and labels."""

import os
from pathlib import Path

from penumbra.audit.artifacts import write_parquet
from penumbra.images.shards import decoded, to_table
from penumbra.images.subset import select
from penumbra.plugins import load
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """List, select, check; then decode and write part by part."""
    config = job.config
    root = os.environ.get("PENUMBRA_DATA_ROOT")
    reader = load("images.readers", config["dataset"]["reader"])
    chosen = select(reader.entries(config, Path(root) if root else None), config)
    chosen.check(config["name"])
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))  # Snakemake sets it to the rule's threads
    parts = (to_table(part) for part in decoded(chosen, threads))
    write_parquet(job.outputs["images"], parts, job.provenance())
    job.report(f"{len(chosen)} images of {config['size']}×{config['size']}")
    job.record(job.outputs["images"])


if __name__ == "__main__":
    main(run)
