"""Embeddings: representations of training images -> outlier embeddings of one shard."""

from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.loading.official import check_encoder
from penumbra.outliers.embeddings import sampled
from penumbra.outliers.store import encoder_of
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import provenance_of, read_checkpoint, read_parquet, write_parquet
from penumbra.store.columns import numbers
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Sample this shard of the set; the table names the encoder of its representations."""
    config = job.config
    determinism(config["threads"])
    rows = read_parquet(job.input("representations"))
    file = job.input("rdm")
    state = read_checkpoint(file)
    check_encoder(str(file), state, encoder_of(rows))
    rdm = Rdm.from_state(state).to(pick_device(config["device"]))
    trained = provenance_of(file).get("classes")
    table = sampled(rdm, rows, config, job.wildcards["shard"], trained, str(file))
    cosine, norm = (numbers(table[name]).mean() for name in ("cosine", "norm"))
    job.report(f"{len(table)} outliers; cosine to the anchor {cosine:.3f}, norm {norm:.2f}")
    write_parquet(job.outputs["embeddings"], table, job.provenance())
    job.record(job.outputs["embeddings"], images=len(table))


if __name__ == "__main__":
    main(run)
