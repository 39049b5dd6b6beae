"""Categories: a sample of a detector's outliers -> OOD-I, II or III, and whether it was kept."""

import numpy as np
import pyarrow as pa

from penumbra.images.image_set import classes_of, evenly
from penumbra.outliers.categories import categorised
from penumbra.outliers.store import from_png, kept_names
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import column, numbers
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Recognise classes in outliers spread over the set."""
    config = {**job.config, "device": str(pick_device(job.config["device"]))}
    determinism(config["threads"])
    shards = [read_parquet(path, ["outlier", "label", "image"]) for path in job.inputs["outliers"]]
    rows = pa.concat_tables([shard.replace_schema_metadata(None) for shard in shards])
    rows = rows.take(pa.array(evenly(len(rows), config["sample"])))
    names, labels = rows["outlier"].to_pylist(), numbers(rows["label"])
    recognised = categorised(
        load("outliers.recognisers", config["recogniser"]),
        np.stack([from_png(data, config["size"]) for data in rows["image"].to_pylist()]),
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
