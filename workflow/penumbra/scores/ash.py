"""Energy of shaped activations (ASH, Djurisic et al. 2023)."""

from typing import Literal

import numpy as np

from penumbra.numerics import by_rows
from penumbra.scores.scale import Pruned, energy, ratios, units_below

NEEDS = ("features", "head")
Variant = Literal["s", "b", "p"]


def score(
    arrays: dict[str, np.ndarray], variant: Variant = "s", percentile: Pruned = 90.0
) -> np.ndarray:
    """Energy of z with all but its k = D - round(D · percentile / 100) largest entries at 0.

    Features (N, D) -> (N,). The k entries stay by `p`, are each Σz / k by `b`, and by `s` are
    multiplied by exp(Σz / Σ(top-k z)), or stay where the top k add up to 0. Of entries that are
    alike the first are kept.

    Raises:
        PenumbraError: the percentile leaves none of the D units, or logits are not finite, as where
            units of both signs nearly add up to 0.
    """
    weight, bias, features = arrays["weight"], arrays["bias"], arrays["features"]
    kept = features.shape[1] - units_below(features.shape[1], percentile, "ash")

    def of_rows(z: np.ndarray) -> np.ndarray:
        places = np.argsort(-z, axis=1, kind="stable")[:, :kept]
        values, total = np.take_along_axis(z, places, 1), z.sum(1)
        ratio = ratios(z, values.sum(1)) if variant == "s" else np.zeros_like(total)
        if variant == "b":
            values[:] = total[:, None] / kept
        shaped = np.zeros_like(z)
        np.put_along_axis(shaped, places, values, 1)
        shaped[np.isnan(total)] = np.nan  # also where the NaN was not among the largest
        return energy(weight, bias, shaped, ratio, "ash")

    return by_rows(of_rows, features)
