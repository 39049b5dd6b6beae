"""Categories: a sample of a detector's outliers -> OOD-I, II or III, and whether it was kept."""

import numpy as np
import pyarrow as pa

from penumbra.images.image_set import classes_of
from penumbra.outliers.categories import categorised
from penumbra.outliers.store import decoded, kept_names, sampled
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import column, numbers
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Recognise classes in outliers spread over the set."""
    config = {**job.config, "device": str(pick_device(job.config["device"]))}
    determinism(config["threads"])
    rows = sampled(job.inputs["outliers"], ["outlier", "label", "image"], config["sample"])
    names, labels = rows["outlier"].to_pylist(), numbers(rows["label"])
    recognised = categorised(
        load("outliers.recognisers", config["recogniser"]),
        decoded(rows["image"].to_pylist(), config["size"]),
        labels,
        classes_of(job.input("train")),
        job.inputs.get("recogniser", [None])[0],
        config,
    )
    kept = kept_names(read_parquet(job.input("selection"), ["outlier", "kept"]))
    table = pa.table(
        {
            "outlier": column(names),
            "label": column(labels),
            **{name: column(values) for name, values in recognised.items()},
            "kept": column(np.array([name in kept for name in names])),
        }
    )
    write_parquet(job.outputs["categories"], table, job.provenance())
    job.record(job.outputs["categories"])


if __name__ == "__main__":
    main(run)
