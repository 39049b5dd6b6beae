"""Metrics: scores of a model -> detection metrics and norms by scorer and OOD image set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from penumbra.audit.artifacts import read_parquet, write_parquet
from penumbra.columns import groups, numbers, table
from penumbra.evaluation.metrics import metrics
from penumbra.stages.common import Job, main


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
    everything = np.concatenate([by_set[test], *shifted])
    for name in (name for name, role in roles.items() if role == "ood"):
        where = f"{file.stem} on {name}"
        found = metrics(by_set[test], by_set[name], where)
        # Full spectrum (OpenOOD v1.5): covariate-shifted ID images are positives, too.
        full = metrics(everything, by_set[name], where) if shifted else found
        yield {
            "scorer": file.stem,
            "image_set": name,
            "n_id": len(by_set[test]),
            "n_ood": len(by_set[name]),
            **found,
            **{f"full_{key}": full[key] for key in ("fpr95", "auroc")},
            **norms(by_set[test].mean(), by_set[name].mean()),
        }


def norms(norm_id: float, norm_ood: float) -> dict[str, float]:
    """Mean scores and their ratio, which is no number where scores are infinite or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"norm_id": norm_id, "norm_ood": norm_ood, "norm_ratio": norm_id / norm_ood}


if __name__ == "__main__":
    main(run)
