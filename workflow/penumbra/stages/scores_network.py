"""Scores of the network: one number per test and OOD image; larger means more ID."""

import pyarrow as pa
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.plugins import load
from penumbra.stages.shared.fitting import checked, told
from penumbra.stages.shared.job import Job, main
from penumbra.stages.shared.probing import autograd, probe_of
from penumbra.stages.shared.reading import (
    as_known,
    image_groups,
    known_classes,
    open_reader,
    roles,
)
from penumbra.stages.shared.scoring import require
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import column


def run(job: Job) -> None:
    """Apply the scorer to all image sets, batch by batch; NaN and wrong shapes are refused."""
    config = job.config
    reader = open_reader(job)
    probe = probe_of(job, reader)
    scorer = load("scores", config["module"])
    listed = roles(config)
    classes = known_classes(job)

    def tables():
        for group in image_groups(job, list(listed)):
            group = as_known(group, listed[group.name], classes)
            with told(job), autograd(config["needs"]):
                scores = [
                    _one_per_image(scorer.score(probe, x, **config["options"]), len(x), group.name)
                    for x in reader.batches(group.images.pixels)
                ]
            values = torch.cat(scores).double().cpu().numpy()
            checked(job, values, group.name)
            yield pa.table(group.identified(listed[group.name]) | {"score": column(values)})

    write_parquet(job.outputs["scores"], tables(), job.provenance())
    job.record(job.outputs["scores"])


def _one_per_image(returned: object, count: int, image_set: str) -> Tensor:
    """What a scorer returned for a batch of `count` images; it stays on the device."""
    if not isinstance(returned, Tensor):
        raise PenumbraError(
            f"image set {image_set}: score() returned {type(returned).__name__}, not a tensor"
        )
    wrong = returned.dtype if returned.is_complex() else None
    require(returned.shape, count, image_set, wrong)
    return returned.detach()


if __name__ == "__main__":
    main(run)
