"""The first stage of latent diffusion: from images to the latents of a DiT or LDM, and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.generative import autoencoder
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.options.parts.autoencoder import Objective, Options
from penumbra.training.objectives.autoencoder import AutoencoderObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Reconstruction of the images from initial weights."""
    own, how = Options.of(options), Objective.of(settings)
    return AutoencoderObjective(autoencoder.build(own), data.pixels, own.scale, how.kl_weight)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The first stage of a file, checked against the network."""
    state = official.read(file, "autoencoder")
    autoencoder.with_weights(options, state)
    return state
