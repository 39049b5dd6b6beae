"""An encoder applied to images: one vector each."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from penumbra.errors import PenumbraError


@torch.inference_mode()
def represented(
    encoder: Any, pixels: np.ndarray, origins: Sequence[str], batch_size: int, lowered: bool
) -> np.ndarray:
    """Representations (N, R) float32 of uint8 images (N, 3, H, W) by one of `networks.encoders`.

    `origins` (N,) name the images in errors; `lowered` runs the encoder in bfloat16.

    Raises:
        PenumbraError: one is not finite.
    """
    device = next(encoder.parameters()).device
    batches = torch.from_numpy(pixels).split(batch_size)
    with torch.autocast(device.type, torch.bfloat16, enabled=lowered):
        encoded = [encoder.represent(encoder.inputs(x.to(device))).float().cpu() for x in batches]
    values = torch.cat(encoded)
    bad = (~values.isfinite()).any(1).nonzero()
    if len(bad):
        raise PenumbraError(
            f"{len(bad)} of {len(values)} representations are not finite, the first of "
            f"{origins[int(bad[0])]}; the encoder has diverged"
        )
    return values.numpy()
