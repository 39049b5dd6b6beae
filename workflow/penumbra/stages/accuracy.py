"""Accuracy: logits of a model -> share of right predictions by image set."""

from collections import defaultdict

import numpy as np
import pyarrow as pa

from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import stream_parquet, write_parquet
from penumbra.store.columns import groups, matrix, numbers, table

ROLES = ("train", "heldout", "test", "shifted")


def run(job: Job) -> None:
    """In eval mode, without augmentation; an image of a class that the model never saw is wrong."""
    counts: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(4, np.int64))
    columns = ["image_set", "label", "logits"]
    for whole in stream_parquet(job.input("outputs"), columns, "role", ROLES):
        for name, part in groups(whole, "image_set"):
            counts[name, part["role"][0].as_py()] += _counts(part)
    rows = [
        {
            "image_set": name,
            "role": role,
            "n": int(n),
            "accuracy": float(right / n),
            "n_matched": int(n_matched),
            "matched_accuracy": float(right_matched / n_matched) if n_matched else 0.0,
        }
        for (name, role), (n, right, n_matched, right_matched) in counts.items()
    ]
    write_parquet(job.outputs["accuracy"], table(rows), job.provenance())
    job.record(job.outputs["accuracy"])


def _counts(part: pa.Table) -> np.ndarray:
    """How many images a part has and how many of them are told rightly; of known classes alone."""
    labels = numbers(part["label"])
    right = matrix(part["logits"]).argmax(1) == labels
    matched = labels >= 0
    return np.array([len(labels), right.sum(), matched.sum(), (right & matched).sum()])


if __name__ == "__main__":
    main(run)
