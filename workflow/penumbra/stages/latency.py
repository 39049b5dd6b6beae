"""Latency: seconds per image of a block scorer, from uint8 pixels to the score."""

import torch

from penumbra.evaluation.latency import seconds_per_image
from penumbra.images.image_set import pixels_at, row_group_sizes
from penumbra.plugins import load
from penumbra.stages.shared.blocks import block_read
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import open_reader
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import table


def run(job: Job) -> None:
    """The median of repeated passes over one batch of test images."""
    config = job.config
    reader = open_reader(job)
    scorer = load("scores", config["module"])
    test, names = job.input("test"), tuple(config["statistics"])
    pixels = pixels_at(test, range(min(config["batch_size"], sum(row_group_sizes(test)))))
    read = block_read(job, config["block"], reader)

    def score() -> None:
        scorer.score(reader.channels(pixels, read.block, names), **config["options"])

    row = {
        "seconds_per_image": seconds_per_image(score, len(pixels)),
        "images": len(pixels),
        **read._asdict(),
    }
    write_parquet(job.outputs["latency"], table([row]), job.provenance())
    job.record(job.outputs["latency"], threads=torch.get_num_threads())


if __name__ == "__main__":
    main(run)
