"""Outliers: the embeddings of one shard -> their images."""

import torch

from penumbra.networks.loading.official import check_encoder
from penumbra.outliers.grey import to_grey
from penumbra.outliers.store import embeddings_of, encoder_of, with_images
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Decode every embedding by the generator of the encoder that the embeddings are of."""
    config = job.config
    determinism(config["threads"])
    device = pick_device(config["device"])
    rows = read_parquet(job.input("embeddings"))
    state = read_checkpoint(job.input("generator"))
    check_encoder(str(job.input("generator")), state, encoder_of(rows))
    embeddings, seeds = embeddings_of(rows)
    drawn = [derive(int(seed), "image") for seed in seeds]
    pixels = load("parts", config["kind"]).images(
        state,
        config["options"],
        config["decoding"],
        torch.from_numpy(embeddings).to(device),
        drawn,
        config["batch_size"],
    )
    pixels = to_grey(pixels) if config["grey"] else pixels
    job.report(f"{len(pixels)} images of {tuple(pixels.shape[1:])}")
    write_parquet(job.outputs["outliers"], with_images(rows, drawn, pixels), job.provenance())
    job.record(job.outputs["outliers"], images=len(pixels))


if __name__ == "__main__":
    main(run)
