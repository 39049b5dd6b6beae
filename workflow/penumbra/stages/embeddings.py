"""Embeddings: representations of training images -> outlier embeddings of one shard."""

from penumbra.outliers.asked import Sampling
from penumbra.plugins import load
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import provenance_of, read_checkpoint, read_parquet, write_parquet
from penumbra.store.columns import numbers
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """One call of the kind; the table names the encoder of its representations."""
    config = job.config
    determinism(config["threads"])
    file = job.input("sampler")
    sampling = Sampling(
        options=config["options"],
        seed=config["seed"],
        shard=job.wildcards["shard"],
        device=pick_device(config["device"]),
        graphs=config["graphs"],
        representations=read_parquet(job.input("representations")),
        file=file,
        state=read_checkpoint(file),
        trained=provenance_of(file).get("classes"),
    )
    table = load("outliers.kinds", config["kind"]).embeddings(sampling)
    cosine, norm = (numbers(table[name]).mean() for name in ("cosine", "norm"))
    job.report(f"{len(table)} outliers; cosine to the anchor {cosine:.3f}, norm {norm:.2f}")
    write_parquet(job.outputs["embeddings"], table, job.provenance())
    job.record(job.outputs["embeddings"], images=len(table))


if __name__ == "__main__":
    main(run)
