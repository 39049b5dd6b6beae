"""What a scorer of the network is given, and what it may return."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from penumbra.errors import PenumbraError
from penumbra.evaluation.finite import check
from penumbra.evaluation.scoring import require
from penumbra.networks.inference import Reader
from penumbra.networks.probe import Probe


def probe_of(reader: Reader, fitted: Mapping[str, Tensor]) -> Probe:
    """The reader's model as scorers see it, with what the scorer was fitted to on its device."""
    placed = {name: _placed(tensor, reader.mean) for name, tensor in fitted.items()}
    return Probe(reader.model, reader.std, reader.perturb, placed)


def _placed(tensor: Tensor, like: Tensor) -> Tensor:
    """On the inputs' device, and in their dtype where it holds no whole numbers."""
    dtype = like.dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.to(like.device, dtype)


def autograd(needs: Sequence[str]) -> AbstractContextManager:
    """Gradients where the scorer declares that it needs them, else inference mode."""
    return torch.enable_grad() if "gradients" in needs else torch.inference_mode()


def scored(
    score: Callable[[Tensor], Tensor], batches: Iterable[Tensor], image_set: str
) -> np.ndarray:
    """Scores (N,) float64 of an image set's N images from batches of inputs (n, 3, H, W).

    Raises:
        PenumbraError: `score` gave no tensor of one real number per image, or NaN.
    """
    scores = torch.cat([_one_per_image(score(x), len(x), image_set) for x in batches])
    values = scores.double().cpu().numpy()
    check(values, f"image set {image_set}")
    return values


def _one_per_image(returned: object, count: int, image_set: str) -> Tensor:
    """What a scorer returned for a batch of `count` images; it stays on the device."""
    if not isinstance(returned, Tensor):
        raise PenumbraError(
            f"image set {image_set}: score() returned {type(returned).__name__}, not a tensor"
        )
    require(returned.shape, count, image_set, returned.dtype if returned.is_complex() else None)
    return returned.detach()
