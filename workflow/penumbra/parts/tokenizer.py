"""The tokenizer: MAGE's VQGAN."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks import official, vqgan
from penumbra.networks.moco import MoCo
from penumbra.networks.states import State
from penumbra.networks.vqgan import Tokenizer
from penumbra.parts.data import Data
from penumbra.training.vqgan import TokenizerObjective


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Reconstruction of the images from initial weights."""
    return TokenizerObjective(vqgan.build(**options), data.pixels)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The tokenizer of a file, checked against the network."""
    state = official.read(file, "tokenizer")
    Tokenizer.from_state(state)
    return state
