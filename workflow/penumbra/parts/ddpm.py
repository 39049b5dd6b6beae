"""A diffusion model of pixels, whose early-stopped samples are Fake it's outliers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from penumbra.networks.generative import ddpm
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.options.parts.ddpm import Objective, Options
from penumbra.outliers import generators
from penumbra.training.objectives.ddpm import DdpmObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Noise in the images, from initial weights."""
    network = ddpm.build(Options.of(options))
    return DdpmObjective(network, data.pixels, Objective.of(settings).flip)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The network of a file of diffusers', checked against that of the options."""
    state = official.read(file, "ddpm")
    ddpm.with_weights(options, state)
    return state


def images(
    state: State,
    options: Mapping[str, Any],
    decoding: Mapping[str, Any],
    representations: Tensor,
    seeds: Sequence[int],
    batch_size: int,
) -> np.ndarray:
    """uint8 (N, 3, S, S), one a seed, on the device of `representations`, which are (N, 0).

    Image i depends on its own seed alone.
    """
    network = ddpm.with_weights(options, state)
    network.to(representations.device)  # type: ignore[arg-type]
    diffusion = generators.of_ddpm(network, **decoding)
    return generators.images(diffusion, representations, seeds, batch_size).numpy()
