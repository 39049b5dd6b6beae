"""What the stages share that fit scorers and apply them: columns, fixed arrays, and words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.evaluation.scoring import HEAD, head_arrays
from penumbra.stages.shared.job import Job
from penumbra.store.artifacts import read_arrays

LEARNED = "learned."
KEYS = ("image_set", "role", "index", "label")


def fixed_arrays(job: Job) -> dict[str, np.ndarray]:
    """The last layer's `weight` (C, D) and `bias` (C,), and what was fitted or learned."""
    arrays: dict[str, np.ndarray] = {}
    if "head" in job.inputs:
        arrays = head_arrays(read_arrays(job.input("head"), list(HEAD.values())))
    if "fitted" in job.inputs:
        arrays |= read_arrays(job.input("fitted"), prefix=prefix_of(job.config))
    return arrays


def prefix_of(scorer: Mapping[str, Any]) -> str:
    """What begins the names of a scorer's tensors in the file that it is given as `fitted`.

    That is a model's checkpoint, where a training method learned them.
    """
    return LEARNED if scorer.get("learned") else ""


@contextmanager
def told(job: Job) -> Iterator[None]:
    """Errors of a scorer say which one, and of which model."""
    try:
        yield
    except PenumbraError as error:
        model = "/".join(job.wildcards[key] for key in ("benchmark", "backbone", "recipe", "seed"))
        raise PenumbraError(f"scorer {job.wildcards['scorer']}, model {model}: {error}") from error


def report_alike(job: Job, values: np.ndarray, image_set: str) -> None:
    """Say it where all images of a set score alike."""
    if len(values) > 1 and (values == values[0]).all():
        job.report(
            f"all {len(values)} scores of {image_set} are {values[0]:g}: it tells none apart"
        )
