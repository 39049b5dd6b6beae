"""Outliers by a diffusion model of the ID images that stopped early (Fake it, Mirzaei et al. 2022).

The model is not told classes, so that outliers have none. Mirzaei et al. detect novelties of one
class at a time; for several classes Bad-OOD's paper compares with it and does not say how. Here one
model learns all of them, and detectors train on its images as on any others.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from penumbra.images.entries import NO_LABEL
from penumbra.outliers.anchors import shard
from penumbra.outliers.asked import Asked
from penumbra.outliers.store import NO_ANCHOR
from penumbra.seeds import derive
from penumbra.store.columns import column


def outliers(asked: Asked) -> pa.Table:
    """Images of noise; each depends on its own number in the set and the set's seed alone."""
    generator, count = asked.generator, asked.options["count"]
    assert generator is not None
    total = pq.read_metadata(asked.train).num_rows if count is None else count
    numbers = shard(range(total), asked.shard)
    names = [f"{number:07d}" for number in numbers]
    seeds = [derive("outlier", asked.seed, name, "image") for name in names]
    rows = pa.table(
        {
            "outlier": column(names),
            "anchor": column(np.full(len(names), NO_ANCHOR, np.int64)),
            "label": column(np.full(len(names), NO_LABEL, np.int64)),
        }
    )
    nothing = torch.empty(len(names), 0, device=asked.device)
    pixels = generator.images(nothing, seeds=seeds, batch_size=asked.batch_size)
    return asked.packed(rows, seeds, pixels)
