"""Outliers out of ID images, edited by guidance of concepts (SONA): one of every training image."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from penumbra.errors import PenumbraError
from penumbra.images.image_set import pixels_at
from penumbra.networks.generative.stable_diffusion import PLACE, StableDiffusion
from penumbra.options.kinds.sona import Decoding
from penumbra.outliers.anchors import shard
from penumbra.outliers.asked import Asked
from penumbra.outliers.semantic_guidance import Task, edited, start_of
from penumbra.seeds import derive
from penumbra.store.artifacts import read_parquet
from penumbra.store.columns import column, numbers


def outliers(asked: Asked) -> pa.Table:
    """The shard's images, each with the concept that took its class's place.

    Its class stays its label. `start` is the step of the grid at which it began.

    Raises:
        PenumbraError: no concept is left, a prompt is too long, or latents are not finite.
    """
    generator = asked.generator
    assert generator is not None
    how = Decoding.of(generator.decoding)
    table = read_parquet(asked.train, ["label", "origin"])
    rows = [*shard(range(len(table)), asked.shard)]
    labels = numbers(table["label"])[rows]
    origins = table["origin"].take(rows).to_pylist()
    names = [f"{asked.classes[k]}/{origin}" for k, origin in zip(labels, origins, strict=True)]
    seeds = [derive("outlier", asked.seed, name) for name in names]
    concepts = _concepts(asked, seeds)
    own, other = (
        [how.prompt.replace(PLACE, word) for word in words]
        for words in ([asked.words[k] for k in labels], concepts)
    )
    tasks = [Task(*each) for each in zip(own, other, seeds, strict=True)]
    columns = {
        "outlier": column(names),
        "anchor": column(np.array(rows, np.int64)),
        "label": column(labels),
        "concept": column(concepts),
        "start": column(np.array([start_of(s, how.guidance.steps) for s in seeds], np.int64)),
        "seed": column(np.array(seeds, np.int64)),
    }
    return asked.packed(pa.table(columns), seeds, _images(asked, rows, tasks, how))


def _images(asked: Asked, rows: Sequence[int], tasks: Sequence[Task], how: Decoding) -> np.ndarray:
    """uint8 (N, 3, size, size) out of the training images at `rows`."""
    assert asked.generator is not None
    model = StableDiffusion(asked.generator.state).to(asked.device)
    images = pixels_at(asked.train, rows)
    starts = range(0, len(tasks), asked.batch_size)
    batches = (slice(start, start + asked.batch_size) for start in starts)
    return np.concatenate([edited(model, images[here], tasks[here], how) for here in batches])


def _concepts(asked: Asked, seeds: Sequence[int]) -> list[str]:
    """One of the concepts for every outlier, by its own seed."""
    own = {word.casefold() for word in asked.words}
    concepts = [word for word in asked.options["concepts"] if word.casefold() not in own]
    if not concepts:
        raise PenumbraError(
            "concepts: each of them is called as an ID class; name a word list that has others"
        )
    draws = (np.random.default_rng(derive(seed, "concept")) for seed in seeds)
    return [concepts[int(draw.integers(len(concepts)))] for draw in draws]
