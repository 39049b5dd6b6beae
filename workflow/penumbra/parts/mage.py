"""MAGE: tokens from representations, decoded to images by its tokenizer."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penumbra.networks.generative import mage
from penumbra.networks.generative.mage import Mage
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.options.parts.mage import Decoding
from penumbra.outliers.decode import generate
from penumbra.training.objectives.mage import MageObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Masked tokens of the images given their representations, from initial weights.

    Tokenizer and encoder go into the checkpoint, as in the published files.
    """
    assert data.tokenizer is not None
    assert data.representations is not None
    tokens = _tokens(data.tokenizer, data)
    network = mage.build(
        **options,
        codes=data.tokenizer.codes,
        side=math.isqrt(tokens.shape[1]),
        representation=data.representations.shape[1],
    )
    network.accompany(data.tokenizer, data.encoder)
    return MageObjective(network.to(data.device), tokens, data.representations)


@torch.inference_mode()
def _tokens(tokenizer: Tokenizer, data: Data) -> Tensor:
    batches = data.pixels.split(data.batch_size)
    tokens = [tokenizer.encode(batch.float() / 255).flatten(1) for batch in batches]
    return torch.cat(tokens).clone()


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The MAGE of a file, checked against the network and against the encoder it is used with."""
    state = official.read(file, "mage")
    Mage.from_state(state, options.get("heads"), options.get("decoder_heads"))
    if encoder is not None:
        official.check_encoder(str(file), state, official.fingerprint(encoder.state_dict()))
    return state


def images(
    state: State,
    options: Mapping[str, Any],
    decoding: Mapping[str, Any],
    representations: Tensor,
    seeds: Sequence[int],
    batch_size: int,
) -> np.ndarray:
    """uint8 (N, 3, H, W) of representations (N, R); image i depends on its own seed alone.

    The tokenizer is the one inside MAGE's checkpoint, which it was trained with.
    """
    device = representations.device
    network = Mage.from_state(state, options.get("heads"), options.get("decoder_heads")).to(device)
    how = Decoding.of(decoding)
    return generate(network, network.tokenizer, representations, seeds, how, batch_size)
