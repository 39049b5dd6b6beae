"""Statistics: of one block's channels on test and OOD images, and how the block was chosen."""

import pyarrow as pa

from penumbra.evaluation.norms import choose, norm_ratios
from penumbra.images.image_set import evenly, pixels_at, row_group_sizes
from penumbra.networks.inference import STATISTICS
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import image_groups, image_path, open_reader, roles
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import table, vectors


def run(job: Job) -> None:
    """Choose the block on training images, then read it on every test and OOD image."""
    config = job.config
    reader = open_reader(job)
    train = image_path(job, config["train"])
    # FN chooses on clean images; a map belongs to scoring.
    perturb, reader.perturb = reader.perturb, None
    voters = evenly(sum(row_group_sizes(train)), config["selection_images"])
    ratios = norm_ratios(reader, pixels_at(train, voters))
    reader.perturb = perturb
    block = choose(job.wildcards["block"], ratios)
    reader.model.check_block(block)
    job.report(f"block {block}, norm ratio {ratios[block]:.3f}")
    provenance = {**job.provenance(), "block": block}
    listed = roles(config)

    def tables():
        for group in image_groups(job, list(listed)):
            channels = reader.channels(group.images.pixels, block, STATISTICS)
            columns = group.identified(listed[group.name])
            yield pa.table(columns | {key: vectors(value) for key, value in channels.items()})

    write_parquet(job.outputs["statistics"], tables(), provenance)
    rows = [{"block": b, "norm_ratio": r, "chosen": b == block} for b, r in ratios.items()]
    write_parquet(job.outputs["blocks"], table(rows), provenance)
    job.record(job.outputs["statistics"])


if __name__ == "__main__":
    main(run)
