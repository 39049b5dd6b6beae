"""Virtual-logit matching (ViM, Wang et al. 2022)."""

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.numerics import (
    by_rows,
    class_first,
    logsumexp,
    principal_dim,
    second_moment,
    spectrum,
)
from penumbra.options.ranges import Count

NEEDS = ("logits", "features")
FIT = ("train", "logits", "features", "head")


def fit(arrays: dict[str, np.ndarray], *, dim: Count | None = None) -> dict[str, np.ndarray]:
    """The residual space of features (N, D), and the size of a virtual logit.

    Origin u = -W⁺b (D,); eigenvalues (D,), descending, of the mean of (z - u)(z - u)ᵀ; residual
    (D, D - dim), the eigenvectors beyond the `dim` largest; alpha (1,), the mean largest logit over
    the mean norm of the residual (Eq. 2 and 5). Without `dim` the paper's: 1000 where D ≥ 2048, 512
    where D ≥ 768, D/2 below.

    Raises:
        PenumbraError: `dim` leaves no residual, or features are not finite or have none there,
            or the largest logits are not positive on the mean.
    """
    logits, features = arrays["logits"], arrays["features"]
    width = features.shape[1]
    dim = principal_dim(width) if dim is None else dim
    if not 1 <= dim < width:
        raise PenumbraError(
            f"vim: dim {dim} leaves no residual of {width} features; {_mend(width - 1)}"
        )
    origin = -np.linalg.pinv(arrays["weight"].astype(np.float64)) @ arrays["bias"]
    values, vectors, rounding = spectrum(second_moment(features, origin), "vim")
    rest = width - dim
    if values[rest - 1] <= rounding:
        raise PenumbraError(
            f"vim: the {width} features vary in at most {dim} directions, so nothing is left "
            f"beyond; {_mend(int((values > max(rounding, 0)).sum()) - 1)}"
        )
    fitted = {
        "origin": origin,
        "residual": vectors[:, :rest].copy(),
        "eigenvalues": values[::-1].copy(),
    }
    size = by_rows(lambda z: _residual(z, fitted), features).mean()
    top = by_rows(lambda rows: class_first(rows).max(0), logits).mean()
    if not top > 0:
        raise PenumbraError(
            f"vim: the mean largest logit of the images of its fit is {top:g}; only positive ones "
            "give the residual a weight; train the model longer, or leave the scorer out"
        )
    return {**fitted, "alpha": np.array([top / size])}


def _mend(most: int) -> str:
    """What to do where the dimension leaves no residual, and `most` would leave some."""
    if most < 1:
        return "no dim does, so leave the scorer out"
    return f"choose one of 1 to {most} in its entry: `fit: {{dim: {most}}}`"


def _residual(features: np.ndarray, fitted: dict[str, np.ndarray]) -> np.ndarray:
    """Norms of the components of z - u in the residual space: (n, D) -> (n,)."""
    residual = fitted["residual"]
    offset = fitted["origin"] @ residual
    components = features @ residual.astype(features.dtype)
    components -= offset.astype(features.dtype)
    return np.sqrt(np.einsum("nd,nd->n", components, components))


def score(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """logsumexp(l) - α ‖Rᵀ(z - u)‖ (Eq. 7's ranks): logits (N, C), features (N, D) -> (N,)."""
    (alpha,) = arrays["alpha"].tolist()
    return by_rows(
        lambda logits, z: logsumexp(class_first(logits)) - alpha * _residual(z, arrays),
        arrays["logits"],
        arrays["features"],
    )
