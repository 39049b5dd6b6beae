"""Tensors of a safetensors file."""

from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from penumbra.errors import PenumbraError


def opened(file: Path) -> dict[str, Tensor]:
    """All tensors by name.

    Raises:
        PenumbraError: the file is damaged, or no safetensors file.
    """
    try:
        return safetensors.torch.load_file(file)
    except (SafetensorError, OSError) as error:
        raise PenumbraError(f"{file}: not a readable safetensors file: {error}") from error
