"""Shortcuts: an outlier set and the training images -> what colour and detail alone tell."""

from penumbra.evaluation.shortcuts import SUSPECT, shortcuts
from penumbra.images.image_set import evenly, pixels_at, row_group_sizes
from penumbra.outliers.store import decoded, sampled
from penumbra.seeds import derive
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import write_parquet
from penumbra.store.columns import table

MOST = 2000  # images and outliers that are looked at, spread over the sets


def run(job: Job) -> None:
    """Measure, and warn where a detector could do without content."""
    path = job.input("train")
    images = pixels_at(path, evenly(sum(row_group_sizes(path)), MOST))
    rows = sampled(job.inputs["outliers"], ["image"], MOST)
    outliers = decoded(rows["image"].to_pylist(), images.shape[-1])
    of = (job.wildcards["benchmark"], job.wildcards["outliers"])  # the same folds either way
    measured = shortcuts(images, outliers, derive("shortcuts", *of))
    for name, auroc in measured.items():
        warning = "; detectors may learn that instead of content" if auroc > SUSPECT else ""
        job.report(f"{name}: AUROC {auroc:.3f}{warning}")
    counts = {"images": len(images), "outliers": len(outliers)}
    told = [{"measure": name, "auroc": auroc, **counts} for name, auroc in measured.items()]
    write_parquet(job.outputs["shortcuts"], table(told), job.provenance())
    job.record(job.outputs["shortcuts"], images=len(images))


if __name__ == "__main__":
    main(run)
