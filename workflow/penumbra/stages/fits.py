"""Fits: what a scorer takes from ID images' arrays; never from test or OOD images."""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.plugins import load
from penumbra.stages.shared.fitting import balanced, fixed_arrays, refuse_infinite, told
from penumbra.stages.shared.job import Job, main
from penumbra.store import seals
from penumbra.store.artifacts import stream_parquet, write_arrays
from penumbra.store.columns import matrix, numbers


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

    Memory is that of those images and of one row group.

    Raises:
        PenumbraError: the model was read without such images.
    """
    role, path = job.config["role"], job.input("outputs")
    parts = stream_parquet(path, ["label"], "role", [role])
    label_parts = [numbers(part["label"]) for part in parts]
    if not label_parts:
        raise PenumbraError(f"{path}: holds no {role} images; {seals.remake(path)}")
    labels = np.concatenate(label_parts)
    chosen = balanced(labels, job.config["images"])
    arrays = {"labels": labels[chosen]}
    start = 0
    for part in stream_parquet(path, names, "role", [role]):
        low, high = np.searchsorted(chosen, [start, start + len(part)])
        for name in names:
            values = matrix(part[name])
            if name not in arrays:
                arrays[name] = np.empty((len(chosen), values.shape[1]), values.dtype)
            arrays[name][low:high] = values[chosen[low:high] - start]
        start += len(part)
    return arrays


if __name__ == "__main__":
    main(run)
