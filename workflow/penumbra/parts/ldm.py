"""RCG's LDM-8, an image generator to compare MAGE with (badood, Figure 4b)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penumbra.networks.generative import ldm, ldm_vq
from penumbra.networks.generative.autoencoder import Autoencoder
from penumbra.networks.generative.ldm import Unet, averaged
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State, under
from penumbra.options.parts.ldm import Options
from penumbra.outliers import generators
from penumbra.training.objectives.latents import SCALE, latents
from penumbra.training.objectives.ldm import LdmObjective
from penumbra.training.part_data import Data

FIRST_STAGE = "first_stage_model."


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Noise in the latents of the images given their representations, from initial weights."""
    assert data.autoencoder is not None
    assert data.representations is not None
    own = vars(Options.of(options))
    made = latents(data.autoencoder, data.pixels, data.batch_size)
    channels, context = made.mean.shape[1], data.representations.shape[1]
    network = ldm.zeroed(Unet(**own, channels=channels, context=context))
    return LdmObjective(network, made, data.representations, first_stage(data.autoencoder))


def first_stage(model: Autoencoder) -> State:
    """What a checkpoint holds of the autoencoder, under the published names."""
    published_names = ldm_vq.published(model.state_dict())
    return {f"{FIRST_STAGE}{name}": tensor for name, tensor in published_names.items()}


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """Raw and averaged weights and the first stage of a file, checked against the networks."""
    state = official.read(file, "ldm")
    _network(state, options)
    ldm_vq.from_state(under(state, FIRST_STAGE))
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
    network = _network(state, options).to(device)
    autoencoder = ldm_vq.from_state(under(state, FIRST_STAGE))
    autoencoder.to(device)  # type: ignore[arg-type]
    scale = state[SCALE].item() if SCALE in state else 1.0
    diffusion = generators.of_ldm(network, autoencoder, scale, **decoding)
    return generators.images(diffusion, representations, seeds, batch_size).numpy()


def _network(state: State, options: Mapping[str, Any]) -> Unet:
    return Unet.from_state(averaged(state), options.get("head_width", Options.head_width))
