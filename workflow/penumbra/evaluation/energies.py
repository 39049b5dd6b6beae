"""What a classifier says of images: their energy, and the energy regulariser's own answer."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from penumbra.networks.inference import Reader
from penumbra.networks.layers.phi import phi_logit
from penumbra.scores.energy import score as lse


def energies(
    reader: Reader, phi: Mapping[str, Tensor], pixels: np.ndarray
) -> dict[str, np.ndarray]:
    """`energy` and `phi`, its logit of "outlier", each (N,) float64, of uint8 (N, 3, H, W).

    Energies stay raw, as their sigmoid saturates. The tensors of phi are those of a detector's
    checkpoint; where there are none, there is the energy alone.
    """
    energy = -np.asarray(lse(reader.outputs(pixels)), np.float64)
    if not phi:
        return {"energy": energy}
    return {"energy": energy, "phi": phi_logit(phi, torch.from_numpy(energy)).numpy()}
