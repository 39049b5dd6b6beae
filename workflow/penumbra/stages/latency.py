"""Latency: seconds per image of a block scorer, from uint8 pixels to the score."""

import statistics
import time

import torch

from penumbra.images.image_set import pixels_at, row_group_sizes
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import open_reader
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import table

REPEATS = 7


def run(job: Job) -> None:
    """The median of repeated passes over one batch of test images."""
    config = job.config
    reader = open_reader(job)
    scorer = load("scores", config["module"])
    test = job.input("test")
    pixels = pixels_at(test, range(min(config["batch_size"], sum(row_group_sizes(test)))))
    chosen = (row for row in read_parquet(job.input("blocks")).to_pylist() if row["chosen"])
    block = next(chosen)["block"]

    def once() -> float:
        start = time.perf_counter()
        arrays = reader.channels(pixels, block, tuple(config["statistics"]))
        scorer.score(arrays, **config["options"])
        return (time.perf_counter() - start) / len(pixels)

    once()  # the first pass allocates
    times = [once() for _ in range(REPEATS)]
    row = {"seconds_per_image": statistics.median(times), "images": len(pixels)}
    write_parquet(job.outputs["latency"], table([row]), job.provenance())
    job.record(job.outputs["latency"], threads=torch.get_num_threads())


if __name__ == "__main__":
    main(run)
