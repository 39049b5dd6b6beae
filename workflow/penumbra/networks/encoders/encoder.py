"""MoCo-v3, whose representations an RDM is trained on."""

from collections.abc import Mapping
from typing import Any

from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading.states import State


def of(state: State, options: Mapping[str, Any]) -> MoCo:
    """The network of a part's checkpoint, in eval mode."""
    return MoCo.from_state(state, options.get("heads"))
