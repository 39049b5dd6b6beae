"""Dream-OOD's latent space, whose representations are compared with words."""

from collections.abc import Mapping
from typing import Any

from penumbra.networks.generative.text_latent import TextLatent
from penumbra.networks.loading.states import State
from penumbra.options.parts.text_latent import Options


def of(state: State, options: Mapping[str, Any]) -> TextLatent:
    """The network of a part's checkpoint, in eval mode."""
    return TextLatent.from_state(state, Options.of(options))
