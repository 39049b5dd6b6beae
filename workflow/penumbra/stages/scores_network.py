"""Scores of the network: one number per test and OOD image; larger means more ID."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from penumbra.evaluation.probing import autograd, probe_of, scored
from penumbra.plugins import load
from penumbra.stages.shared.fitting import fitted_tensors, report_alike, told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.reading import (
    as_known,
    image_groups,
    known_classes,
    open_reader,
    roles,
)
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import column


def run(job: Job) -> None:
    """Apply the scorer to all image sets, batch by batch."""
    config = job.config
    reader = open_reader(job)
    fitted = fitted_tensors(job, config)
    scorer = load("scores", config["module"])
    score = partial(scorer.score, probe_of(reader, fitted), **config["options"])
    listed = roles(config)
    classes = known_classes(job)

    def tables() -> Iterator[pa.Table]:
        for group in image_groups(job, list(listed)):
            group = as_known(group, listed[group.name], classes)
            with told(job), autograd(config["needs"]):
                values = scored(score, reader.batches(group.images.pixels), group.name)
            report_alike(job, values, group.name)
            yield pa.table(group.identified(listed[group.name]) | {"score": column(values)})

    write_parquet(job.outputs["scores"], tables(), job.provenance())
    job.record(job.outputs["scores"])


if __name__ == "__main__":
    main(run)
