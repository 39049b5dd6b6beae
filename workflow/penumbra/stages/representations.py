"""Representations: an encoder applied to an image set -> one standardised vector an image."""

import json

import pyarrow as pa
import torch

from penumbra.audit.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.columns import column, vectors
from penumbra.errors import PenumbraError
from penumbra.images.shards import from_table
from penumbra.networks.moco import MoCo
from penumbra.networks.official import fingerprint
from penumbra.outliers.store import ENCODER
from penumbra.stages.common import Job, main
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """In eval mode, batch norm on running statistics; the table names its encoder."""
    config = job.config
    determinism(config["threads"])
    device = pick_device(config["device"])
    state = read_checkpoint(job.input("encoder"))
    encoder = MoCo.from_state(state, config["options"].get("heads")).to(device)
    images = from_table(read_parquet(job.input("images")))
    found = []
    with torch.inference_mode():
        for pixels in torch.from_numpy(images.pixels).split(config["batch_size"]):
            found.append(encoder.represent(encoder.inputs(pixels.to(device))).float().cpu())
    values = torch.cat(found)
    bad = (~values.isfinite()).any(1).nonzero()
    if len(bad):
        raise PenumbraError(
            f"{len(bad)} of {len(values)} representations are not finite, the first of "
            f"{images.origins[int(bad[0])]}; the encoder {job.wildcards['part']} has diverged"
        )
    table = pa.table(
        {
            "origin": column(images.origins),
            "label": column(images.labels),
            "representation": vectors(values.numpy()),
        }
    )
    meta = {ENCODER: fingerprint(state).encode(), b"classes": json.dumps(images.classes).encode()}
    write_parquet(
        job.outputs["representations"], table.replace_schema_metadata(meta), job.provenance()
    )
    job.record(job.outputs["representations"], images=len(images))


if __name__ == "__main__":
    main(run)
