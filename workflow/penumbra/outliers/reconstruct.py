"""ID images through the tokenizer that outliers come out of, so that its marks tell nothing."""

import numpy as np
import torch
from PIL import Image

from penumbra.networks.generative.mage import Mage
from penumbra.outliers.decode import to_uint8
from penumbra.outliers.store import resized


@torch.inference_mode()
def reconstruct(mage: Mage, pixels: np.ndarray, batch_size: int) -> np.ndarray:
    """Images uint8 (N, 3, S, S) -> their reconstructions, of the same shape and type.

    They are enlarged to the side that MAGE makes, and brought back, as its outliers are, by
    antialiased bicubic filters.

    Raises:
        PenumbraError: the checkpoint holds no tokenizer.
    """
    tokenizer = mage.tokenizer.eval()
    device = next(tokenizer.parameters()).device
    side, size = mage.side * tokenizer.scale, pixels.shape[-1]
    batches = []
    for batch in torch.from_numpy(_resized(pixels, side)).split(batch_size):
        decoded = tokenizer.decode(tokenizer.encode(batch.to(device).float() / 255))
        batches.append(to_uint8(decoded.float()).cpu())
    return _resized(torch.cat(batches).numpy(), size)


def _resized(pixels: np.ndarray, side: int) -> np.ndarray:
    images = (Image.fromarray(np.ascontiguousarray(x.transpose(1, 2, 0))) for x in pixels)
    return np.stack([np.asarray(resized(x, side)) for x in images]).transpose(0, 3, 1, 2)
