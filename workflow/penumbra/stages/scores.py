"""Scores of arrays: one number per test and OOD image; larger means more ID."""

import pyarrow as pa

from penumbra.plugins import load
from penumbra.stages.shared.fitting import KEYS, checked, fixed_arrays, told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.scoring import one_per_image
from penumbra.store.artifacts import stream_parquet, write_parquet
from penumbra.store.columns import column, groups, matrix

ROLES = ("test", "shifted", "ood")


def run(job: Job) -> None:
    """Apply the scorer to each image set's arrays, one at a time.

    NaN and wrong shapes are refused by name.
    """
    config = job.config
    scorer = load("scores", config["module"])
    fixed = fixed_arrays(job)
    names = [name for name in config["needs"] if name != "head"]

    def tables():
        parts = stream_parquet(job.input("features"), [*KEYS, *names], "role", ROLES)
        for image_set, part in (pair for whole in parts for pair in groups(whole, "image_set")):
            arrays = {name: matrix(part[name]) for name in names}
            with told(job):
                returned = scorer.score({**arrays, **fixed}, **config["options"])
                values = one_per_image(returned, len(part), image_set)
            checked(job, values, image_set)
            columns = {key: part[key] for key in KEYS}
            yield pa.table(columns | {"score": column(values)})

    write_parquet(job.outputs["scores"], tables(), job.provenance())
    job.record(job.outputs["scores"])


if __name__ == "__main__":
    main(run)
