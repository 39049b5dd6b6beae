"""Distance to the k-th nearest training feature (Sun et al. 2022)."""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import finite, unit
from penumbra.options.ranges import Count

NEEDS = ("features",)
FIT = ("train", "features")

# Inner products at once: 16 MiB in float32, twice, or 64 images where the bank is vast.
PRODUCTS = 2**22


def fit(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Features (N, D) over their norms: bank (M, D), without the zero vectors, if any.

    Raises:
        PenumbraError: a feature is not finite.
    """
    bank = unit(arrays["features"])
    active = bank.any(1)
    finite(bank @ np.ones(bank.shape[1], bank.dtype), "knn")
    return {"bank": bank if active.all() else bank[active]}


def score(arrays: dict[str, np.ndarray], k: Count = 50) -> np.ndarray:
    """Minus the squared distance of z/‖z‖ to its k-th nearest in the bank: (N, D) -> (N,) ≤ 0.

    The paper takes k = 50 on CIFAR-10, 200 on CIFAR-100, 1000 on ImageNet. The neighbour is found
    by its inner product in the features' precision; its distance is computed in float64. A zero
    vector, which has no direction, scores -1, as far as an orthogonal plane.

    Raises:
        PenumbraError: k is not between 1 and the number of images in the bank.
    """
    bank, features = arrays["bank"], arrays["features"]
    if not 1 <= k <= len(bank):
        raise PenumbraError(f"knn: k = {k} is not between 1 and the {len(bank)} images of its bank")
    scores = np.empty(len(features))
    step = max(64, PRODUCTS // len(bank))
    for start in range(0, len(features), step):
        block = slice(start, start + step)
        query = unit(features[block])
        products = query @ bank.T
        wanted = np.partition(products, len(bank) - k, axis=1)[:, len(bank) - k]
        neighbour = bank[(products == wanted[:, None]).argmax(1)]
        apart = query.astype(np.float64) - neighbour
        scores[block] = -np.einsum("nd,nd->n", apart, apart)
    return scores
