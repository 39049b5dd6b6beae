"""Outliers around training images: embeddings by an RDM, images by a generator (Bad-OOD)."""

import pyarrow as pa
import torch

from penumbra.networks.generative.rdm import Rdm
from penumbra.networks.loading.official import check_encoder
from penumbra.outliers.asked import Asked, Sampling
from penumbra.outliers.embeddings import sampled
from penumbra.outliers.store import embeddings_of, encoder_of
from penumbra.seeds import derive


def embeddings(sampling: Sampling) -> pa.Table:
    """Sample around training images; the table names the encoder of their representations.

    Raises:
        PenumbraError: the RDM is of another encoder, or anchors, guidance or classes do not fit.
    """
    check_encoder(str(sampling.file), sampling.state, encoder_of(sampling.representations))
    rdm = Rdm.from_state(sampling.state).to(sampling.device)
    return sampled(rdm, sampling)


def outliers(asked: Asked) -> pa.Table:
    """Decode every embedding by the generator of the encoder that the embeddings are of.

    Raises:
        PenumbraError: the generator reads another encoder's representations.
    """
    rows, generator = asked.embeddings, asked.generator
    assert rows is not None
    assert generator is not None
    check_encoder(str(generator.file), generator.state, encoder_of(rows))
    embeddings, seeds = embeddings_of(rows)
    drawn = [derive(int(seed), "image") for seed in seeds]
    representations = torch.from_numpy(embeddings).to(asked.device)
    pixels = generator.images(representations, seeds=drawn, batch_size=asked.batch_size)
    return asked.packed(rows, drawn, pixels)
