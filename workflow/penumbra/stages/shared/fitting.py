"""What the stages share that fit scorers and apply them: columns, fixed arrays, and words."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import numpy as np
import pyarrow as pa

from penumbra.errors import PenumbraError
from penumbra.evaluation.scoring import HEAD, head_arrays
from penumbra.stages.shared.job import Job
from penumbra.store import seals
from penumbra.store.artifacts import read_arrays, read_checkpoint, stream_parquet

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


def streamed(job: Job, names: Collection[str], roles: Collection[str]) -> Iterator[pa.Table]:
    """Rows of the model's reading, a part of an image set at a time, with the named columns.

    Those that the scorer reads of a second model are that one's, of the same images.

    Raises:
        PenumbraError: the second model was read on other images.
    """
    of_second = [name for name in names if name in job.config["second"]]
    own = [name for name in names if name not in of_second]
    stored = stream_parquet(job.input("features"), [*KEYS, *own], "role", roles)
    if not of_second:
        yield from stored
        return
    others = stream_parquet(job.input("second"), [*KEYS, *of_second], "role", roles)
    for rows, other in zip_longest(stored, others):
        if rows is None or other is None or not rows.select(KEYS).equals(other.select(KEYS)):
            raise unpaired(job)
        for name in of_second:
            rows = rows.append_column(name, other[name])
        yield rows


def unpaired(job: Job) -> PenumbraError:
    """What to say where two models were read on other images."""
    return PenumbraError(
        f"{job.input('second')}: the second model was read on other images than the first; "
        f"{seals.remake(job.input('second'))}"
    )


def fitted_tensors(job: Job, scorer: Mapping[str, Any]) -> dict[str, Any]:
    """What a scorer of the network was fitted to, or what was learned for it; mostly nothing."""
    if "fitted" not in job.inputs:
        return {}
    return read_checkpoint(job.input("fitted"), prefix_of(scorer))


def prefix_of(scorer: Mapping[str, Any]) -> str:
    """What begins the names of a scorer's tensors in the file that it is given as `fitted`.

    That is a model's checkpoint, where a training method learned them.
    """
    return LEARNED if scorer.get("learned") else ""


@contextmanager
def told(job: Job) -> Iterator[None]:
    """Errors of a scorer say which one, of which model, and how to do without it."""
    try:
        yield
    except PenumbraError as error:
        model = "/".join(job.wildcards[key] for key in ("benchmark", "backbone", "recipe", "seed"))
        name = job.wildcards["scorer"]
        raise PenumbraError(
            f"scorer {name}, model {model}: {error}\n"
            f"To have tables without it, say so in the config, `scorers: {{{name}: null}}`: its "
            "rows then tell that it is left out, and scores that are there stay"
        ) from error


def report_alike(job: Job, values: np.ndarray, image_set: str) -> None:
    """Say it where all images of a set score alike."""
    if len(values) > 1 and (values == values[0]).all():
        job.report(
            f"all {len(values)} scores of {image_set} are {values[0]:g}: it tells none apart"
        )
