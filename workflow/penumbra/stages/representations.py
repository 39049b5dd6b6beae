"""Representations: an encoder applied to an image set -> one standardised vector an image."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import torch

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet, classes_of, row_group, row_group_sizes
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading.official import fingerprint
from penumbra.outliers.store import ENCODER
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_checkpoint, write_parquet
from penumbra.store.columns import column, vectors
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """In eval mode, batch norm on running statistics; the table names its encoder."""
    config = job.config
    determinism(config["threads"])
    device = pick_device(config["device"])
    state = read_checkpoint(job.input("encoder"))
    encoder = MoCo.from_state(state, config["options"].get("heads")).to(device)
    path = job.input("images")
    sizes = row_group_sizes(path)
    classes = json.dumps(classes_of(path))
    meta = {ENCODER: fingerprint(state).encode(), b"classes": classes.encode()}

    def tables() -> Iterator[pa.Table]:
        for number in range(len(sizes)):
            images = row_group(path, number)
            lowered = config["precision"] == "bfloat16"
            with torch.autocast(device.type, torch.bfloat16, enabled=lowered):
                values = represented(encoder, images, config["batch_size"], job.wildcards["part"])
            columns = {
                "origin": column(images.origins),
                "label": column(images.labels),
                "representation": vectors(values),
            }
            yield pa.table(columns).replace_schema_metadata(meta)

    write_parquet(job.outputs["representations"], tables(), job.provenance())
    job.record(job.outputs["representations"], images=sum(sizes))


@torch.inference_mode()
def represented(encoder: MoCo, images: ImageSet, batch_size: int, name: str) -> np.ndarray:
    """Standardised representations (N, R) of images.

    Raises:
        PenumbraError: one is not finite.
    """
    device = next(encoder.parameters()).device
    batches = torch.from_numpy(images.pixels).split(batch_size)
    encoded = [encoder.represent(encoder.inputs(x.to(device))).float().cpu() for x in batches]
    values = torch.cat(encoded)
    bad = (~values.isfinite()).any(1).nonzero()
    if len(bad):
        raise PenumbraError(
            f"{len(bad)} of {len(values)} representations are not finite, the first of "
            f"{images.origins[int(bad[0])]}; the encoder {name} has diverged"
        )
    return values.numpy()


if __name__ == "__main__":
    main(run)
