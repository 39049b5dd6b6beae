"""Accuracy: logits of a model -> share of right predictions on its training and test images."""

import numpy as np
import pyarrow as pa

from penumbra.audit.artifacts import groups, matrix, read_parquet, write_parquet
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """In eval mode, without augmentation."""
    columns = ["image_set", "role", "label", "logits"]
    rows = []
    for name, part in groups(read_parquet(job.input("outputs"), columns), "image_set"):
        role = part["role"][0].as_py()
        if role == "ood":
            continue
        right = matrix(part["logits"]).argmax(1) == part["label"].to_numpy()
        rows.append(
            {"image_set": name, "role": role, "n": len(right), "accuracy": float(np.mean(right))}
        )
    write_parquet(job.outputs["accuracy"], pa.Table.from_pylist(rows), job.provenance())
    job.record(job.outputs["accuracy"])


if __name__ == "__main__":
    main(run)
