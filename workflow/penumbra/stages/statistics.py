"""Statistics: of one block's channels on test and OOD images."""

import pyarrow as pa

from penumbra.networks.inference import STATISTICS
from penumbra.stages.shared.blocks import block_read
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import image_groups, open_reader, roles
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import vectors


def run(job: Job) -> None:
    """Read the block on every test and OOD image; which one it was is said beside."""
    reader = open_reader(job)
    read = block_read(job, job.wildcards["block"], reader)
    moved = f", the first one behind the map, in place of {read.instead_of}"
    job.report(f"block {read.block}{moved if read.instead_of else ''}")
    listed = roles(job.config)

    def tables():
        for group in image_groups(job, list(listed)):
            channels = reader.channels(group.images.pixels, read.block, STATISTICS)
            columns = group.identified(listed[group.name])
            yield pa.table(columns | {key: vectors(value) for key, value in channels.items()})

    write_parquet(job.outputs["statistics"], tables(), {**job.provenance(), **read._asdict()})
    job.record(job.outputs["statistics"])


if __name__ == "__main__":
    main(run)
