"""How alike embeddings of views are, as the logits of contrastive losses."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cosines(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Cosines over the temperature, float32 (N, M), of embeddings (N, D) and (M, D)."""
    first, second = (F.normalize(x.float(), dim=1) for x in (first, second))
    # cross_entropy sees float32 also under autocast.
    with torch.autocast(first.device.type, enabled=False):
        return first @ second.T / temperature


def against_all_views(z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """What NT-Xent is the mean cross-entropy of (Chen et al. 2020, Eq. 1).

    z (2n, D) are the embeddings of n images' first views, then of their second ones. Logits
    (2n, 2n) of each view against all; against itself -inf. Targets (2n,): the other view of the
    image.
    """
    logits = cosines(z, z, temperature)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    places = torch.arange(len(z), device=z.device)
    return logits.masked_fill(itself, -torch.inf), places.roll(len(z) // 2)
