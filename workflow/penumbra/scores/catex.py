"""Softmax gated by spurious prompts, of a vision-language model (CATEX, Liu et al. 2023)."""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import by_rows, max_softmax, unit
from penumbra.options.ranges import Share

NEEDS = ("features",)
LEARNED = "catex"


def score(arrays: dict[str, np.ndarray], least: Share = 0.5) -> np.ndarray:
    """max_c softmax(cos_c · gate_c)_c: features (N, E) -> (N,) in [1/C, 1].

    Features are image embeddings; text and ood_text (C, E) those of the learned prompts of each
    class and of what is mistaken for it. gate_c is the share of the first in a softmax over a
    class's two cosines, and at least `least` (0.51 on ImageNet). Logit scale 1.

    Raises:
        PenumbraError: there are no prompts, or not two of each class.
    """
    missing = [name for name in ("text", "ood_text") if name not in arrays]
    if missing:
        raise PenumbraError(
            f"catex: no {' and no '.join(missing)}; it needs the embeddings of prompts that were "
            "learned on the ID images, one row a class"
        )
    text, spurious = (unit(arrays[name]) for name in ("text", "ood_text"))
    if text.shape != spurious.shape or text.shape[1] != arrays["features"].shape[1]:
        raise PenumbraError(
            f"catex: text {text.shape}, ood_text {spurious.shape} and image embeddings "
            f"(N, {arrays['features'].shape[1]}) do not belong together"
        )

    def gated(images: np.ndarray) -> np.ndarray:
        columns = unit(images).T
        cosine = text @ columns
        gate = 1 / (1 + np.exp(spurious @ columns - cosine))
        return max_softmax(cosine * np.maximum(gate, gate.dtype.type(least)))

    return by_rows(gated, arrays["features"])
