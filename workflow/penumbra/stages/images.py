"""Image set: files of a data set -> one Parquet of decoded pixels and labels."""

import os
from pathlib import Path

from penumbra.images.chosen import Digest, chosen
from penumbra.images.image_set import decoded, to_table
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import DATA, write_parquet


def run(job: Job) -> None:
    """List, select, check; then decode and write part by part."""
    config = job.config
    root = os.environ.get("PENUMBRA_DATA_ROOT")
    entries = chosen(config, Path(root) if root else None)
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))  # Snakemake sets it to the rule's threads
    digest, made = Digest(), job.provenance()

    def tables():
        yield from map(to_table, digest.over(decoded(entries, threads)))
        made[DATA] = digest.hex()  # known at the end, and written last

    write_parquet(job.outputs["images"], tables(), made)
    job.report(f"{len(entries)} images of {config['size']}×{config['size']}")
    job.record(job.outputs["images"])


if __name__ == "__main__":
    main(run)
