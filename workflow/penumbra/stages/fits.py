"""Fits: what a scorer takes from ID images' arrays; never from test or OOD images."""

import numpy as np
import pyarrow as pa

from penumbra.audit import seals
from penumbra.audit.artifacts import stream_parquet, write_arrays
from penumbra.columns import matrix, numbers
from penumbra.errors import PenumbraError
from penumbra.plugins import load
from penumbra.stages.common import Job, main
from penumbra.stages.fitting import balanced, fixed_arrays, refuse_infinite, told


def run(job: Job) -> None:
    """Call the scorer's fit() on training or held-out images."""
    config = job.config
    scorer = load("scores", config["module"])
    names = [name for name in config["needs"] if name not in ("head", "labels")]
    arrays = images_arrays(job, names)
    with told(job):
        fitted = scorer.fit({**arrays, **fixed_arrays(job)}, **config["options"])
    refuse_infinite(job, fitted)
    write_arrays(job.outputs["fitted"], fitted, job.provenance())
    job.record(job.outputs["fitted"], images=len(arrays["labels"]))


def images_arrays(job: Job, names: list[str]) -> dict[str, np.ndarray]:
    """The named arrays and labels of the images that are fitted on.

    Raises:
        PenumbraError: the model was read without such images.
    """
    role = job.config["role"]
    path = job.input("outputs")
    parts = list(stream_parquet(path, ["label", *names], "role", [role]))
    if not parts:
        raise PenumbraError(f"{path}: holds no {role} images; {seals.remake(path)}")
    whole = pa.concat_tables(parts)
    labels = numbers(whole["label"])
    chosen = balanced(labels, job.config["images"])
    every = len(chosen) == len(labels)
    arrays = {name: matrix(whole[name]) for name in names}
    arrays |= {"labels": labels}
    return arrays if every else {name: value[chosen] for name, value in arrays.items()}


if __name__ == "__main__":
    main(run)
