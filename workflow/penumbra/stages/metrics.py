"""Metrics: scores of a model -> detection metrics and norms by scorer and OOD image set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.evaluation.metrics import metrics
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import read_parquet, write_parquet
from penumbra.store.columns import groups, numbers, table


def run(job: Job) -> None:
    """All scorers of one model and input, each OOD image set against the test set."""
    rows = [row for file in job.inputs["scores"] for row in of_scorer(file)]
    write_parquet(job.outputs["metrics"], table(rows), job.provenance())
    job.record(job.outputs["metrics"])


def of_scorer(file: Path) -> Iterator[dict[str, Any]]:
    """One row an OOD image set, from the scores by the scorer that the file is named after."""
    parts = dict(groups(read_parquet(file), "image_set"))
    by_set = {name: numbers(part["score"]) for name, part in parts.items()}
    roles = {name: part["role"][0].as_py() for name, part in parts.items()}
    (test,) = (name for name, role in roles.items() if role == "test")
    shifted = [by_set[name] for name, role in roles.items() if role == "shifted"]
    moved = np.concatenate(shifted) if shifted else None
    for name in (name for name, role in roles.items() if role == "ood"):
        where = f"{file.stem} on {name}"
        yield {
            "scorer": file.stem,
            "image_set": name,
            "n_id": len(by_set[test]),
            "n_ood": len(by_set[name]),
            **metrics(by_set[test], by_set[name], where, moved),
        }


if __name__ == "__main__":
    main(run)
