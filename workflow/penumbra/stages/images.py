"""Image set: files of a data set -> one Parquet of decoded pixels, or of where they lie encoded."""

from penumbra.images.chosen import Digest, chosen, tables
from penumbra.images.originals import data_root, threads
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import DATA, write_parquet


def run(job: Job) -> None:
    """List, select, check; then read and write part by part."""
    config = job.config
    entries = chosen(config, data_root())
    digest, made = Digest(), job.provenance()

    def rows():
        yield from tables(config, entries, threads(), digest)
        made[DATA] = digest.hex()  # known at the end, and written last

    write_parquet(job.outputs["images"], rows(), made)
    job.report(f"{len(entries)} images of {config['size']}×{config['size']}, {config['stored']}")
    job.record(job.outputs["images"])


if __name__ == "__main__":
    main(run)
