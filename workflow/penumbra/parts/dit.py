"""RCG's DiT, an image generator to compare MAGE with (badood, Figure 4b)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penumbra.networks.generative import autoencoder, dit
from penumbra.networks.generative.autoencoder import Autoencoder
from penumbra.networks.generative.dit import DiT
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State, under
from penumbra.options.parts.dit import Options
from penumbra.outliers import generators
from penumbra.training.objectives.dit import DitObjective
from penumbra.training.objectives.latents import SCALE, latents
from penumbra.training.part_data import Data

FIRST_STAGE = "first_stage."


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Noise in the latents of the images given their representations, from initial weights."""
    assert data.autoencoder is not None
    assert data.representations is not None
    own = Options.of(options)
    made = latents(data.autoencoder, data.pixels, data.batch_size)
    network = dit.build(
        **vars(own),
        side=made.mean.shape[-1],
        channels=made.mean.shape[1],
        representation=data.representations.shape[1],
    )
    beside = first_stage(data.autoencoder)
    return DitObjective(dit.initialised(network), made, data.representations, beside)


def first_stage(model: Autoencoder) -> State:
    """What a checkpoint holds of the autoencoder, whose latents the DiT knows."""
    return {f"{FIRST_STAGE}{name}": tensor for name, tensor in model.state_dict().items()}


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The averaged weights of a file, checked against the network."""
    state = official.read(file, "dit")
    DiT.from_state(state, _heads(options))
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
    own = {k: v for k, v in state.items() if not k.startswith(FIRST_STAGE) and k != SCALE}
    network = DiT.from_state(own, _heads(options)).to(representations.device)
    decoder = autoencoder.kl_from_state(under(state, FIRST_STAGE))
    decoder.to(representations.device)  # type: ignore[arg-type]
    scale = state[SCALE].item() if SCALE in state else generators.LATENT_SCALE
    diffusion = generators.of_dit(network, decoder, scale, **decoding)
    return generators.images(diffusion, representations, seeds, batch_size).numpy()


def _heads(options: Mapping[str, Any]) -> int:
    return options.get("heads", Options.heads)
