"""The encoder: MoCo-v3."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.generative import moco
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.training.objectives.contrastive import ContrastiveObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Contrastive training from initial weights."""
    encoder = moco.build(**options)
    return ContrastiveObjective(data.pixels, encoder, settings, data.steps)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The base encoder of a MoCo-v3 file, checked against the network."""
    state = official.read(file, "moco")
    MoCo.from_state(state, options.get("heads"))
    return state
