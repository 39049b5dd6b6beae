"""What a detector says of images: their energy, and the energy regulariser's own answer."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from penumbra.networks.inference import Reader
from penumbra.networks.layers.phi import phi_logit
from penumbra.scores.energy import score as lse


def energies(
    reader: Reader, checkpoint: Mapping[str, Tensor], pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """E and phi's logit of "outlier", each (N,) float64, of uint8 images (N, 3, H, W).

    Energies stay raw, as their sigmoid saturates; phi is that of the detector's `checkpoint`.

    Raises:
        PenumbraError: the checkpoint has no phi.
    """
    energy = -np.asarray(lse(reader.outputs(pixels)), np.float64)
    return energy, phi_logit(checkpoint, torch.from_numpy(energy)).numpy()
