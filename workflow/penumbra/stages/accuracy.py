"""Accuracy: logits of a model -> share of right predictions on training, test, shifted images."""

import numpy as np

from penumbra.audit.artifacts import read_parquet, write_parquet
from penumbra.columns import groups, matrix, numbers, table
from penumbra.stages.common import Job, main


def run(job: Job) -> None:
    """In eval mode, without augmentation; an image of a class that the model never saw is wrong."""
    columns = ["image_set", "role", "label", "logits"]
    rows = []
    for name, part in groups(read_parquet(job.input("outputs"), columns), "image_set"):
        role = part["role"][0].as_py()
        if role in ("ood", "heldout"):
            continue
        labels = numbers(part["label"])
        right = matrix(part["logits"]).argmax(1) == labels
        matched = right[labels >= 0]
        rows.append(
            {
                "image_set": name,
                "role": role,
                "n": len(right),
                "accuracy": float(np.mean(right)),
                "n_matched": len(matched),
                "matched_accuracy": float(np.mean(matched)) if len(matched) else 0.0,
            }
        )
    write_parquet(job.outputs["accuracy"], table(rows), job.provenance())
    job.record(job.outputs["accuracy"])


if __name__ == "__main__":
    main(run)
