"""Fits: what a scorer takes from ID images' arrays; never from test or OOD images."""

import numpy as np

from penumbra.evaluation.scoring import refuse_infinite
from penumbra.plugins import load
from penumbra.stages.shared.arrays import images_arrays
from penumbra.stages.shared.fitting import fixed_arrays, told, unpaired
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import write_arrays


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


if __name__ == "__main__":
    main(run)
