"""The tokenizer: MAGE's VQGAN."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.generative import vqgan
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.vqgan import Tokenizer
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.training.objectives.vqgan import TokenizerObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Reconstruction of the images from initial weights."""
    return TokenizerObjective(vqgan.build(**options), data.pixels)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The tokenizer of a file, checked against the network."""
    state = official.read(file, "tokenizer")
    Tokenizer.from_state(state)
    return state
