"""Energies: a detector applied to held-out ID, calibration OOD and its outliers."""

import numpy as np
import pyarrow as pa
import torch

from penumbra.images.entries import NO_LABEL
from penumbra.images.image_set import from_table
from penumbra.networks.layers.phi import phi_logit
from penumbra.outliers.store import pixels_of
from penumbra.scores.energy import score as lse
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import open_reader
from penumbra.store.artifacts import read_checkpoint, read_parquet, write_parquet
from penumbra.store.columns import column


def run(job: Job) -> None:
    """One forward pass over all; energies are stored raw, as their sigmoid saturates."""
    config = job.config
    reader = open_reader(job)
    phi = {k: v for k, v in read_checkpoint(job.input("model")).items() if k.startswith("phi.")}
    paths = {path.stem: path for path in job.inputs["images"]}
    sets = {
        role: (config[role], from_table(read_parquet(paths[config[role]])))
        for role in ("heldout", "calibration_ood")
    }
    size = sets["heldout"][1].pixels.shape[-1]

    def rows(role, image_set, pixels, names, labels):
        energy = -np.asarray(lse(reader.outputs(pixels)), np.float64)
        head = phi_logit(phi, torch.from_numpy(energy)).numpy()
        n = len(energy)
        return pa.table(
            {
                "image_set": column([image_set] * n),
                "role": column([role] * n),
                "outlier": column(names),
                "label": column(np.asarray(labels, np.int64)),
                "energy": column(energy),
                "phi": column(head),
            }
        )

    def tables():
        for role, (name, images) in sets.items():
            labels = images.labels if role == "heldout" else np.full(len(images), NO_LABEL)
            yield rows(role, name, images.pixels, [""] * len(images), labels)
        for path in job.inputs["outliers"]:
            shard = read_parquet(path, ["outlier", "label", "image"])
            names = shard["outlier"].to_pylist()
            pixels = pixels_of([shard], size)
            yield rows("outlier", config["outliers"], pixels, names, shard["label"].to_pylist())

    write_parquet(job.outputs["energies"], tables(), job.provenance())
    job.record(job.outputs["energies"])


if __name__ == "__main__":
    main(run)
