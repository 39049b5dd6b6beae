"""Energies: a classifier applied to held-out ID, calibration OOD and outliers it trained on."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from penumbra.evaluation.energies import energies
from penumbra.images.entries import NO_LABEL
from penumbra.images.image_set import row_group, row_group_sizes
from penumbra.outliers.store import pixels_of
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import image_path, open_reader
from penumbra.store.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.store.columns import column, numbers


def run(job: Job) -> None:
    """One forward pass over all, in memory a row group of images or a shard of outliers."""
    reader = open_reader(job)
    phi = {k: v for k, v in read_checkpoint(job.input("model")).items() if k.startswith("phi.")}

    def tables() -> Iterator[pa.Table]:
        for role, image_set, pixels, names, labels in _read(job):
            columns = {
                "image_set": column([image_set] * len(pixels)),
                "role": column([role] * len(pixels)),
                "outlier": column(names),
                "label": column(labels),
            }
            told = energies(reader, phi, pixels)
            yield pa.table(columns | {name: column(each) for name, each in told.items()})

    write_parquet(job.outputs["energies"], tables(), job.provenance())
    job.record(job.outputs["energies"])


def _read(job: Job) -> Iterator[tuple[str, str, np.ndarray, list[str], np.ndarray]]:
    """Role, image set, pixels, names of outliers and labels; outliers have the ID images' size."""
    size = 0
    for role in ("heldout", "calibration_ood"):
        name = job.config[role]
        path = image_path(job, name)
        for number in range(len(row_group_sizes(path))):
            images = row_group(path, number)
            labels = images.labels if role == "heldout" else np.full(len(images), NO_LABEL)
            size = size or images.pixels.shape[-1]
            yield role, name, images.pixels, [""] * len(images), labels
    for path in job.inputs.get("outliers", []):
        shard = read_parquet(path, ["outlier", "label", "image"])
        names, labels = shard["outlier"].to_pylist(), numbers(shard["label"])
        yield "outlier", job.config["outliers"], pixels_of([shard], size), names, labels


if __name__ == "__main__":
    main(run)
