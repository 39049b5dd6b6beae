"""Stable Diffusion, the generator of Dream-OOD and SONA: loaded from a folder, not trained here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penumbra.networks.generative import stable_diffusion
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.loading.states import State


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The pipeline of a folder, checked against its networks; `file` is the folder."""
    return stable_diffusion.read(file)
