"""Decoupled max logit of two networks (DML+, Zhang & Xiang 2023).

Its networks are trained for it: one with a cosine head and the focal loss (MCF), one with the
centre loss (MNC). The logits are the first one's, the features the second one's.
"""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import by_rows, class_first, norms

NEEDS = ("logits", "features")
FIT = ("heldout", "logits", "features")
SECOND = ("features",)


def fit(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the two summands add up to over ID images: cosine_sum (1,) and norm_sum (1,).

    The published code adds up over the very ID images that it tests, which changes ranks; here the
    images are those of the fit, by default held-out ones.

    Raises:
        PenumbraError: a sum is not positive.
    """
    cosine, size = _summands(arrays)
    sums = {"cosine_sum": np.array([cosine.sum()]), "norm_sum": np.array([size.sum()])}
    for name, (value,) in sums.items():
        if not 0 < value < np.inf:
            raise PenumbraError(
                f"dml_plus: {name} over {len(cosine)} ID images is {value:g}, not "
                "positive; look at the two models"
            )
    return sums


def _summands(arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Largest logit, 40 cos(z, w_j), of the one network and ‖z‖ of the other: (N,) each."""
    cosine = by_rows(lambda logits: class_first(logits).max(0), arrays["logits"])
    return cosine, by_rows(norms, arrays["features"])


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """cosine / Σ_ID cosine + norm / Σ_ID norm: logits (N, C), features (N, D) -> (N,)."""
    cosine, size = _summands(arrays)
    return cosine / arrays["cosine_sum"] + size / arrays["norm_sum"]
