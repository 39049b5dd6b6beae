"""Accuracy: logits of a model -> share of right predictions on its training and test images."""

import numpy as np

from penumbra.audit.artifacts import read_parquet, write_parquet
from penumbra.columns import groups, matrix, numbers, table
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """In eval mode, without augmentation."""
    columns = ["image_set", "role", "label", "logits"]
    rows = []
    for name, part in groups(read_parquet(job.input("outputs"), columns), "image_set"):
        role = part["role"][0].as_py()
        if role == "ood":
            continue
        right = matrix(part["logits"]).argmax(1) == numbers(part["label"])
        rows.append(
            {"image_set": name, "role": role, "n": len(right), "accuracy": float(np.mean(right))}
        )
    write_parquet(job.outputs["accuracy"], table(rows), job.provenance())
    job.record(job.outputs["accuracy"])


if __name__ == "__main__":
    main(run)
