"""Scores of arrays: one number per test and OOD image; larger means more ID."""

from collections.abc import Iterator

import pyarrow as pa

from penumbra.evaluation.scoring import one_per_image
from penumbra.plugins import load
from penumbra.stages.shared.fitting import KEYS, fixed_arrays, report_alike, streamed, told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.read import Read
from penumbra.store.artifacts import provenance_of, write_parquet
from penumbra.store.columns import column, groups, matrix

ROLES = ("test", "shifted", "ood")


def run(job: Job) -> None:
    """Apply the scorer to each image set's arrays, one at a time."""
    config = job.config
    scorer = load("scores", config["module"])
    fixed = fixed_arrays(job)
    names = [name for name in config["needs"] if name != "head"]

    def tables() -> Iterator[pa.Table]:
        stored = streamed(job, names, ROLES)
        for image_set, rows in (pair for whole in stored for pair in groups(whole, "image_set")):
            arrays = {name: matrix(rows[name]) for name in names} | fixed
            with told(job):
                returned = scorer.score(arrays, **config["options"])
                values = one_per_image(returned, len(rows), image_set)
            report_alike(job, values, image_set)
            yield pa.table({key: rows[key] for key in KEYS} | {"score": column(values)})

    read = provenance_of(job.input("features"))
    block = {key: read[key] for key in Read._fields if key in read}
    write_parquet(job.outputs["scores"], tables(), job.provenance() | block)
    job.record(job.outputs["scores"])


if __name__ == "__main__":
    main(run)
