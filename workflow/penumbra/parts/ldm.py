"""RCG's LDM-8, an image generator to compare MAGE with (badood, Figure 4b)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penumbra.networks.generative import ldm_vq
from penumbra.networks.generative.ldm import Unet, averaged
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State, under
from penumbra.outliers import generators


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """Raw and averaged weights and the first stage of a file, checked against the networks."""
    state = official.read(file, "ldm")
    Unet.from_state(averaged(state))
    ldm_vq.from_state(under(state, "first_stage_model."))
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
    """uint8 (N, 3, H, W) of representations (N, R); image i depends on its own seed alone."""
    device = representations.device
    network = Unet.from_state(averaged(state)).to(device)
    autoencoder = ldm_vq.from_state(under(state, "first_stage_model."))
    autoencoder.to(device)  # type: ignore[arg-type]
    diffusion = generators.of_ldm(network, autoencoder, **decoding)
    return generators.images(diffusion, representations, seeds, batch_size).numpy()
