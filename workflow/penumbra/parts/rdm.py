"""The representation diffusion model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from penumbra.errors import PenumbraError
from penumbra.networks.generative.moco import MoCo
from penumbra.networks.generative.rdm import TABLE, Rdm
from penumbra.networks.loading import official
from penumbra.networks.loading.states import State
from penumbra.options.parts.rdm import Options
from penumbra.training.objectives.rdm import RdmObjective
from penumbra.training.part_data import Data


def objective(data: Data, options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Denoising of the images' representations from initial weights; labels where conditional."""
    assert data.representations is not None
    own = Options.of(options)
    rdm = Rdm(
        representation=data.representations.shape[1],
        classes=len(data.classes),
        encoder=data.encoder,
        **vars(own),
    )
    labels = data.labels if own.conditional else None
    return RdmObjective(rdm.to(data.device), data.representations, labels)


def published(file: Path, options: Mapping[str, Any], encoder: MoCo | None) -> State:
    """The RDM of a file, checked against the network, and its encoder where it has one inside."""
    state = official.read(file, "rdm")
    Rdm.from_state(state)
    if encoder is not None:
        official.check_encoder(str(file), state, official.fingerprint(encoder.state_dict()))
    return state


def check_classes(file: Path, state: State, classes: Sequence[str]) -> None:
    """Refuse classes that are not as many as a file's RDM is told.

    Raises:
        PenumbraError: says both numbers, or that the RDM is told none.
    """
    rdm = Rdm.from_state(state)
    told = len(state[TABLE]) if rdm.conditional else 0
    if told != len(classes):
        raise PenumbraError(
            f"{file}: the RDM is told {told or 'no'} classes, and its classes_file names "
            f"{len(classes)}; name the list of those that it was trained on"
        )
