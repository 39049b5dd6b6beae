"""Outliers at the boundary of classes in a latent space of words, as images (Dream-OOD)."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from penumbra.networks.generative.stable_diffusion import PLACE, StableDiffusion
from penumbra.options.kinds import dream
from penumbra.outliers import class_boundary, text_to_image
from penumbra.outliers.anchors import Anchor, shard
from penumbra.outliers.asked import Asked, Sampling
from penumbra.outliers.store import embedding_table, embeddings_of, encoder_of
from penumbra.seeds import derive
from penumbra.store.columns import matrix, numbers


def embeddings(sampling: Sampling) -> pa.Table:
    """Sample around the embeddings of each class's training images.

    Every outlier belongs to a round of its class's draws, so that shards do not change it.

    Raises:
        PenumbraError: a class has too few images.
    """
    how, rows = dream.Options.of(sampling.options), sampling.representations
    classes = json.loads(rows.schema.metadata[b"classes"])
    values, labels = matrix(rows["representation"]), numbers(rows["label"])
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    counts = counts if how.per_class is None else [how.per_class] * len(classes)
    mine = shard([(k, i) for k, count in enumerate(counts) for i in range(count)], sampling.shard)
    anchors: list[Anchor] = []
    points = []
    for label in dict.fromkeys(label for label, _ in mine):
        name, wanted = classes[label], [i for own, i in mine if own == label]
        seed = derive("outliers", sampling.seed, name)
        rows_of = np.random.default_rng(derive(seed, "queue")).permutation(
            np.flatnonzero(labels == label)
        )[: how.sampling.queue]
        own = torch.from_numpy(values[rows_of]).to(sampling.device)
        around = class_boundary.edge(own, how.sampling, name)
        for turn, place, point, at in _drawn(around, how.sampling, seed, wanted):
            key = f"{name}/{turn}/{place}"
            anchors.append(Anchor(int(rows_of[at]), label, how.sampling.deviation, turn, key))
            points.append(point)
    seeds = [anchor.seed(sampling.seed, "embedding") for anchor in anchors]
    starts = values[[anchor.row for anchor in anchors]]
    return embedding_table(anchors, seeds, np.stack(points), starts, encoder_of(rows))


def _drawn(
    around: class_boundary.Edge, how: dream.Sampling, seed: int, wanted: Sequence[int]
) -> Iterator[tuple[int, int, np.ndarray, int]]:
    """A class's outliers by number: round, place in it, unit-norm (D,), which embedding it was at.

    Rounds are made one after the other, as `wanted` rises.
    """
    made = -1
    for turn, place in (divmod(i, around.chosen * how.kept) for i in wanted):
        if turn != made:
            drawn, at = class_boundary.drawn(around, how, seed, turn)
            made, drawn, at = turn, drawn.cpu(), at.cpu()
        yield turn, place, drawn[place].numpy(), int(at[place])


def outliers(asked: Asked) -> pa.Table:
    """Decode every embedding, as long as its class's word, in the word's place in the prompt.

    Raises:
        PenumbraError: a prompt is too long, or latents are not finite.
    """
    rows, generator = asked.embeddings, asked.generator
    assert rows is not None
    assert generator is not None
    how = dream.Decoding.of(generator.decoding)
    model = StableDiffusion(generator.state).to(asked.device)
    points, seeds = embeddings_of(rows)
    labels = numbers(rows["label"])
    lengths = model.words(asked.words).norm(dim=1)
    vectors = torch.from_numpy(points).to(asked.device) * lengths[labels.tolist()][:, None]
    prompts = _prompts(how, asked.classes)
    drawn = [derive(int(seed), "image") for seed in seeds]
    batches = []
    for start in range(0, len(drawn), asked.batch_size):
        here = slice(start, start + asked.batch_size)
        texts = [prompts[label] for label in labels[here]]
        batches.append(_images(model, texts, vectors[here], drawn[here], how))
    return asked.packed(rows, drawn, np.concatenate(batches))


@torch.inference_mode()
def _images(
    model: StableDiffusion,
    prompts: Sequence[str],
    vectors: Tensor,
    seeds: Sequence[int],
    how: dream.Decoding,
) -> np.ndarray:
    contexts = model.contexts_with(prompts, vectors)
    return text_to_image.images(model, contexts, seeds, how)


def _prompts(how: dream.Decoding, classes: Sequence[str]) -> list[str]:
    """Of every class, with its hint."""
    hints = how.hints or {}
    return [how.prompt.replace(PLACE, hints.get(name, PLACE)) for name in classes]
