"""RCG's DiT, an image generator to compare MAGE with (badood, Figure 4b)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penumbra.networks.generative.dit import DiT
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.outliers import generators


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The averaged weights of a file, checked against the network."""
    state = official.read(file, "dit")
    DiT.from_state(state, options.get("heads"))
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
    network = DiT.from_state(state, options.get("heads")).to(representations.device)
    autoencoder = generators.load_autoencoder(Path(options["autoencoder"]))
    autoencoder.to(representations.device)  # type: ignore[arg-type]
    diffusion = generators.of_dit(network, autoencoder, **decoding)
    return generators.images(diffusion, representations, seeds, batch_size).numpy()
