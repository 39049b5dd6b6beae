"""Accuracy: logits of a model -> share of right predictions by image set."""

from penumbra.evaluation.accuracy import accuracies
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import stream_parquet, write_parquet
from penumbra.store.columns import groups, matrix, numbers, table

ROLES = ("train", "heldout", "test", "shifted")


def run(job: Job) -> None:
    """In eval mode, without augmentation, row group by row group."""
    columns = ["image_set", "label", "logits"]
    logits = (
        (name, rows["role"][0].as_py(), numbers(rows["label"]), matrix(rows["logits"]))
        for whole in stream_parquet(job.input("outputs"), columns, "role", ROLES)
        for name, rows in groups(whole, "image_set")
    )
    write_parquet(job.outputs["accuracy"], table(accuracies(logits)), job.provenance())
    job.record(job.outputs["accuracy"])


if __name__ == "__main__":
    main(run)
