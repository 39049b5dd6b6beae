"""Energy of scaled activations (SCALE, Xu et al. 2023)."""

from typing import Annotated

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import by_rows, logsumexp
from penumbra.options.ranges import Bound

NEEDS = ("features", "head")


def score(
    arrays: dict[str, np.ndarray],
    percentile: Annotated[float, Bound(0, 100, open_high=True)] = 85.0,
) -> np.ndarray:
    """logsumexp(W (z · exp(r)) + b), r = Σz / Σ(top-k z), Eq. 6 and 7: features (N, D) -> (N,).

    k = D - round(D · percentile / 100); no entry is pruned. Where the top k add up to 0, as those
    of an image without an active unit do, z is not scaled.

    Raises:
        PenumbraError: the percentile leaves none of the D units, or more than all, or exp(r) is no
            number, as where units of both signs nearly add up to 0.
    """
    weight, bias, features = arrays["weight"], arrays["bias"], arrays["features"]
    width = features.shape[1]
    cut = round(width * percentile / 100)
    if not 0 <= cut < width:
        raise PenumbraError(
            f"scale: percentile {percentile:g} keeps {width - cut} of {width} units; choose one "
            "between 0 and 100 that keeps some"
        )

    def energy(z: np.ndarray) -> np.ndarray:
        peak = np.partition(z, cut, axis=1)[:, cut:].sum(1) if cut else z.sum(1)
        ratio = np.divide(z.sum(1), peak, out=np.zeros_like(peak), where=peak != 0)
        with np.errstate(over="ignore", invalid="ignore"):
            logits = (weight @ z.T) * np.exp(ratio) + bias[:, None]
        lost = ~np.isfinite(logits).all(0) & np.isfinite(z).all(1)  # NaN of the features stays NaN
        if lost.any():
            raise PenumbraError(
                f"scale: scaled by exp({ratio[lost].max():g}), features give logits that are not "
                "finite; it is for features after a ReLU, and where units have both signs their "
                "largest may add up to next to nothing: leave the scorer out"
            )
        return logsumexp(logits)

    return by_rows(energy, features)
