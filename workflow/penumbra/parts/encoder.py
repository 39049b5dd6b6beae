"""The encoder: MoCo-v3."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks import moco, official
from penumbra.networks.moco import MoCo
from penumbra.networks.states import State
from penumbra.parts.data import Data
from penumbra.training.contrastive import ContrastiveObjective


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Contrastive training from initial weights."""
    encoder = moco.build(**options)
    return ContrastiveObjective(data.pixels, encoder, settings, data.steps)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The base encoder of a MoCo-v3 file, checked against the network."""
    state = official.read(file, "moco")
    MoCo.from_state(state, options.get("heads"))
    return state
