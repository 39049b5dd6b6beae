"""Reconstructions: training images through the tokenizer of an outlier set's generator."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa

from penumbra.images.image_set import row_group, row_group_sizes, to_table
from penumbra.networks.generative.mage import Mage
from penumbra.outliers.grey import to_grey
from penumbra.outliers.reconstruct import reconstruct
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_checkpoint, write_parquet
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """An image set of the same images in the same order, with the marks of the codec."""
    config = job.config
    determinism(config["threads"])
    state, options = read_checkpoint(job.input("generator")), config["options"]
    mage = Mage.from_state(state, options.get("heads"), options.get("decoder_heads"))
    mage.to(pick_device(config["device"]))
    path = job.input("train")
    sizes = row_group_sizes(path)

    def tables() -> Iterator[pa.Table]:
        for number in range(len(sizes)):
            images = row_group(path, number)
            pixels = reconstruct(mage, images.pixels, config["batch_size"])
            yield to_table(replace(images, pixels=to_grey(pixels) if config["grey"] else pixels))

    write_parquet(job.outputs["images"], tables(), job.provenance())
    job.record(job.outputs["images"], images=sum(sizes))


if __name__ == "__main__":
    main(run)
