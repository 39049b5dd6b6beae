"""Embeddings: representations of training images -> outlier embeddings of one shard."""

import json

import numpy as np
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.loading.official import check_encoder
from penumbra.options.guidance import Block
from penumbra.outliers.anchors import Anchor, plan, shard
from penumbra.outliers.guidance import Guidance
from penumbra.outliers.store import embedding_table, encoder_of
from penumbra.outliers.trajectory import Sampler
from penumbra.stages.shared.job import Job, main
from penumbra.store.artifacts import provenance_of, read_checkpoint, read_parquet, write_parquet
from penumbra.store.columns import matrix, numbers
from penumbra.training.determinism import determinism, pick_device


def run(job: Job) -> None:
    """Plan the whole set, sample this shard, scale by scale; draws belong to outliers."""
    config = job.config
    determinism(config["threads"])
    device = pick_device(config["device"])
    rows = read_parquet(job.input("representations"))
    state = read_checkpoint(job.input("rdm"))
    check_encoder(str(job.input("rdm")), state, encoder_of(rows))
    rdm = Rdm.from_state(state).to(device)
    guidance = vars(Block.of(config["guidance"])).copy()
    scales, dtype = guidance.pop("scales"), getattr(torch, guidance.pop("precision"))
    classes = json.loads(rows.schema.metadata[b"classes"])
    labels = numbers(rows["label"])
    planned = plan(
        labels.tolist(), rows["origin"].to_pylist(), classes, scales, **config["anchors"]
    )
    anchors = shard(planned, job.wildcards["shard"])
    starts = matrix(rows["representation"])[[anchor.row for anchor in anchors]]
    seeds = [anchor.seed(config["seed"], "embedding") for anchor in anchors]
    known = rdm_labels(job, rdm, anchors, classes)
    embeddings = np.empty_like(starts)
    for scale in scales:
        at = [i for i, anchor in enumerate(anchors) if anchor.scale == scale]
        if at:
            graphs = config["graphs"] and device.type == "cuda"
            sampler = Sampler(rdm, Guidance(scale=scale, **guidance), dtype, graphs)
            chosen = None if known is None else known[at]
            sampled = sampler.sample(torch.from_numpy(starts[at]), [seeds[i] for i in at], chosen)
            embeddings[at] = sampled.cpu().numpy()
    table = embedding_table(anchors, seeds, embeddings, starts, encoder_of(rows))
    cosine = numbers(table["cosine"]).mean() if len(anchors) else 0
    norm = numbers(table["norm"]).mean()
    job.report(f"{len(anchors)} outliers; cosine to the anchor {cosine:.3f}, norm {norm:.2f}")
    write_parquet(job.outputs["embeddings"], table, job.provenance())
    job.record(job.outputs["embeddings"], images=len(anchors))


def rdm_labels(
    job: Job, rdm: Rdm, anchors: list[Anchor], classes: list[str]
) -> torch.Tensor | None:
    """The anchors' classes as places among those that a conditional RDM was trained on.

    Raises:
        PenumbraError: the RDM's classes are not known, or a class is not among them.
    """
    if not rdm.conditional:
        return None
    trained = provenance_of(job.input("rdm")).get("classes")
    if trained is None:
        raise PenumbraError(
            f"{job.input('rdm')}: a published class-conditional RDM does not name its classes; "
            "take the unconditional one, or train an RDM here"
        )
    unknown = sorted(set(classes) - set(trained))
    if unknown:
        raise PenumbraError(
            f"{job.input('rdm')}: the RDM was trained without the classes {', '.join(unknown)}"
        )
    return torch.tensor([trained.index(classes[anchor.label]) for anchor in anchors])


if __name__ == "__main__":
    main(run)
