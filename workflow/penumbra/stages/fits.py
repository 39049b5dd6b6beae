"""Fits: what a scorer takes from ID images' arrays; never from test or OOD images."""

from pathlib import Path

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.evaluation.scoring import refuse_infinite
from penumbra.images.balanced import balanced
from penumbra.plugins import load
from penumbra.stages.shared.fitting import fixed_arrays, told, unpaired
from penumbra.stages.shared.job import Job, main
from penumbra.store import seals
from penumbra.store.artifacts import stream_parquet, write_arrays
from penumbra.store.columns import matrix, numbers


def run(job: Job) -> None:
    """Call the scorer's fit() on training or held-out images."""
    config = job.config
    scorer = load("scores", config["module"])
    names = [name for name in config["needs"] if name not in ("head", "labels", *config["second"])]
    arrays = images_arrays(job.input("outputs"), names, config["role"], config["images"])
    if config["second"]:
        arrays |= _of_second(job, arrays["labels"])
    with told(job):
        fitted = scorer.fit({**arrays, **fixed_arrays(job)}, **config["options"])
        refuse_infinite(fitted.items())
    write_arrays(job.outputs["fitted"], fitted, job.provenance())
    job.record(job.outputs["fitted"], images=len(arrays["labels"]))


def _of_second(job: Job, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What the scorer reads of a second model, of the same images.

    Raises:
        PenumbraError: it was read on other images.
    """
    config = job.config
    names = [name for name in config["needs"] if name in config["second"]]
    arrays = images_arrays(job.input("second"), names, config["role"], config["images"])
    if not np.array_equal(arrays["labels"], labels):
        raise unpaired(job)
    return arrays


def images_arrays(
    path: Path, names: list[str], role: str, count: int | None
) -> dict[str, np.ndarray]:
    """The named arrays and labels of the images of a role, or of `count` balanced by class.

    Memory is that of those images and of one row group.

    Raises:
        PenumbraError: the model was read without such images.
    """
    stored = [numbers(rows["label"]) for rows in stream_parquet(path, ["label"], "role", [role])]
    if not stored:
        raise PenumbraError(f"{path}: holds no {role} images; {seals.remake(path)}")
    labels = np.concatenate(stored)
    chosen = balanced(labels, count)
    arrays = {"labels": labels[chosen]}
    start = 0
    for rows in stream_parquet(path, names, "role", [role]):
        low, high = np.searchsorted(chosen, [start, start + len(rows)])
        for name in names:
            values = matrix(rows[name])
            if name not in arrays:
                arrays[name] = np.empty((len(chosen), values.shape[1]), values.dtype)
            arrays[name][low:high] = values[chosen[low:high] - start]
        start += len(rows)
    return arrays


if __name__ == "__main__":
    main(run)
