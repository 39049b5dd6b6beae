"""Scores: one number per test and OOD image; larger means more ID."""

import numpy as np
import pyarrow as pa

from penumbra.audit.artifacts import read_parquet, write_parquet
from penumbra.columns import column, groups, matrix
from penumbra.evaluation.finite import check
from penumbra.plugins import load
from penumbra.stages.common import Job, main

KEYS = ("image_set", "role", "index", "label")


def run(job: Job) -> None:
    """Apply the scorer to each image set's arrays; NaN is refused by name."""
    scorer = load("scores", job.config["module"])
    features = read_parquet(job.input("features"))
    names = [name for name in features.column_names if name not in KEYS]

    def tables():
        for image_set, part in groups(features, "image_set"):
            if part["role"][0].as_py() == "train":
                continue
            arrays = {name: matrix(part[name]) for name in names}
            values = scorer.score(arrays, **job.config["options"])
            model = "/".join(job.wildcards[k] for k in ("benchmark", "backbone", "recipe", "seed"))
            check(values, f"scorer {job.wildcards['scorer']}, model {model}, image set {image_set}")
            columns = {key: part[key] for key in KEYS}
            yield pa.table(columns | {"score": column(np.asarray(values, np.float64))})

    write_parquet(job.outputs["scores"], tables(), job.provenance())
    job.record(job.outputs["scores"])


if __name__ == "__main__":
    main(run)
