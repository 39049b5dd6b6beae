"""Shortcuts: an outlier set and the training images -> what colour and detail alone tell."""

import numpy as np

from penumbra.evaluation.shortcuts import SUSPECT, shortcuts
from penumbra.images.image_set import evenly, pixels_at, row_group_sizes
from penumbra.outliers.store import pixels_of
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import table

MOST = 2000  # images and outliers that are looked at, spread over the sets


def run(job: Job) -> None:
    """Measure, and warn where a detector could do without content."""
    path = job.input("train")
    images = pixels_at(path, evenly(sum(row_group_sizes(path)), MOST))
    files = job.inputs["outliers"]
    named = (read_parquet(file, ["outlier"])["outlier"].to_pylist() for file in files)
    names = np.concatenate([*named])
    kept = set(names[evenly(len(names), MOST)].tolist())
    shards = (read_parquet(file, ["outlier", "image"]) for file in files)  # one at a time
    outliers = pixels_of(shards, images.shape[-1], kept)
    measured = shortcuts(images, outliers, derive("shortcuts", *job.wildcards.values()))
    for name, auroc in measured.items():
        warning = "; detectors may learn that instead of content" if auroc > SUSPECT else ""
        job.report(f"{name}: AUROC {auroc:.3f}{warning}")
    counts = {"images": len(images), "outliers": len(outliers)}
    rows = [{"measure": name, "auroc": auroc, **counts} for name, auroc in measured.items()]
    write_parquet(job.outputs["shortcuts"], table(rows), job.provenance())
    job.record(job.outputs["shortcuts"], images=len(images))


if __name__ == "__main__":
    main(run)
