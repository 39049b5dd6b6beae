"""Metrics: scores of test and OOD images -> detection metrics and norms per OOD image set."""

import numpy as np

from penumbra.audit.artifacts import read_parquet, write_parquet
from penumbra.columns import groups, numbers, table
from penumbra.evaluation.metrics import metrics
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """Each OOD image set against the test set."""
    parts = dict(groups(read_parquet(job.input("scores")), "image_set"))
    by_set = {name: numbers(part["score"]) for name, part in parts.items()}
    roles = {name: part["role"][0].as_py() for name, part in parts.items()}
    (test,) = (name for name, role in roles.items() if role == "test")
    shifted = [by_set[name] for name, role in roles.items() if role == "shifted"]
    everything = np.concatenate([by_set[test], *shifted])
    rows = []
    for name, role in roles.items():
        if role != "ood":
            continue
        where = f"{job.wildcards['scorer']} on {name}"
        found = metrics(by_set[test], by_set[name], where)
        # Full spectrum (OpenOOD v1.5): covariate-shifted ID images are positives, too.
        full = metrics(everything, by_set[name], where) if shifted else found
        norm_id, norm_ood = by_set[test].mean(), by_set[name].mean()
        sizes = {"n_id": len(by_set[test]), "n_ood": len(by_set[name])}
        with np.errstate(divide="ignore", invalid="ignore"):  # tables say where it is no number
            norms = {"norm_id": norm_id, "norm_ood": norm_ood, "norm_ratio": norm_id / norm_ood}
        both = {f"full_{key}": full[key] for key in ("fpr95", "auroc")}
        rows.append({"image_set": name, **sizes, **found, **both, **norms})
    write_parquet(job.outputs["metrics"], table(rows), job.provenance())
    job.record(job.outputs["metrics"])


if __name__ == "__main__":
    main(run)
