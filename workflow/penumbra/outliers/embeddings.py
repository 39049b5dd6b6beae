"""The outlier embeddings of one shard: which anchors, which draws, scale by scale."""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative.rdm import Rdm
from penumbra.options.guidance import Block
from penumbra.outliers.anchors import Anchor, plan, shard
from penumbra.outliers.asked import Sampling
from penumbra.outliers.guidance import Guidance
from penumbra.outliers.store import embedding_table, encoder_of
from penumbra.outliers.trajectory import Sampler
from penumbra.store.columns import matrix, numbers


def sampled(rdm: Rdm, asked: Sampling) -> pa.Table:
    """The shard of a set, around training images with their representations.

    The whole set is planned, and draws belong to outliers, so that shards do not change them.

    Raises:
        PenumbraError: anchors, guidance or classes do not fit, or an embedding is not finite.
    """
    images, options = asked.representations, asked.options
    guidance = vars(Block.of(options["guidance"])).copy()
    scales, dtype = guidance.pop("scales"), getattr(torch, guidance.pop("precision"))
    classes = json.loads(images.schema.metadata[b"classes"])
    labels, origins = numbers(images["label"]).tolist(), images["origin"].to_pylist()
    chosen = {key: options[key] for key in ("per_class", "cycle")}
    anchors = shard(plan(labels, origins, classes, scales, **chosen), asked.shard)
    starts = matrix(images["representation"])[[anchor.row for anchor in anchors]]
    seeds = [anchor.seed(asked.seed, "embedding") for anchor in anchors]
    known = None
    if rdm.conditional:
        known = _labels(anchors, classes, asked.trained, str(asked.file))
    graphs = asked.graphs and rdm.betas.device.type == "cuda"
    embeddings = np.empty_like(starts)
    for scale in dict.fromkeys(anchor.scale for anchor in anchors):
        at = [i for i, anchor in enumerate(anchors) if anchor.scale == scale]
        sampler = Sampler(rdm, Guidance(scale=scale, **guidance), dtype, graphs)
        labelled = None if known is None else known[at]
        made = sampler.sample(torch.from_numpy(starts[at]), [seeds[i] for i in at], labelled)
        embeddings[at] = made.cpu().numpy()
    return embedding_table(anchors, seeds, embeddings, starts, encoder_of(images))


def _labels(
    anchors: Sequence[Anchor], classes: Sequence[str], trained: Sequence[str] | None, file: str
) -> torch.Tensor:
    """The anchors' classes (M,) as places among those that a conditional RDM was trained on."""
    if trained is None:
        raise PenumbraError(
            f"{file}: the file of a class-conditional RDM does not name its classes; name them in "
            "its part's `classes_file`, take the unconditional one, or train an RDM here"
        )
    unknown = sorted(set(classes) - set(trained))
    if unknown:
        raise PenumbraError(f"{file}: the RDM was trained without the classes {', '.join(unknown)}")
    return torch.tensor([trained.index(classes[anchor.label]) for anchor in anchors])
