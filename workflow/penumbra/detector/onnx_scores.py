"""Scorers of arrays written once more in torch, so that a graph can hold them.

They read what the numpy ones read and give the same numbers to within rounding: sums that those
take in float64 are taken in float64 here. Conformance: each is tested against its module of
`scores/`. A scorer that is not in SCORES can't be exported.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Arrays = Mapping[str, Tensor]  # logits (n, C), features (n, D), statistics (n, C); fit; head


def _terms(logits: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """exp((l_j - max l) / T) (n, C) in the logits' precision, and max l (n,)."""
    top = logits.amax(1)
    return torch.exp((logits - top[:, None]) / temperature), top


def _logsumexp(logits: Tensor, temperature: float = 1.0) -> Tensor:
    terms, top = _terms(logits, temperature)
    return top.double() + temperature * torch.log(terms.double().sum(1))


def _max_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    return 1 / _terms(logits, temperature)[0].double().sum(1)


def _softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    terms = _terms(logits, temperature)[0].double()
    return terms / terms.sum(1, keepdim=True)


def _head(arrays: Arrays, features: Tensor, weight: str = "weight") -> Tensor:
    return features @ arrays[weight].T + arrays["bias"]


def _norms(rows: Tensor) -> Tensor:
    return (rows * rows).sum(1).sqrt()


def msp(arrays: Arrays) -> Tensor:
    """As `scores/msp.py`."""
    return _max_softmax(arrays["logits"])


def energy(arrays: Arrays, temperature: float = 1.0) -> Tensor:
    """As `scores/energy.py`."""
    return _logsumexp(arrays["logits"], temperature)


def maxlogit(arrays: Arrays) -> Tensor:
    """As `scores/maxlogit.py`."""
    return arrays["logits"].amax(1).double()


def gen(arrays: Arrays, gamma: float = 0.1, top: int = 100) -> Tensor:
    """As `scores/gen.py`."""
    p = torch.sort(_softmax(arrays["logits"]), 1, descending=True).values
    rest = torch.cat([p[:, 1:].sum(1, keepdim=True), 1 - p[:, 1:]], 1)
    return -(p * rest)[:, :top].pow(gamma).sum(1)


def temperature(arrays: Arrays) -> Tensor:
    """As `scores/temperature.py`."""
    return _max_softmax(arrays["logits"], float(arrays["temperature"][0]))


def react(arrays: Arrays) -> Tensor:
    """As `scores/react.py`."""
    features = arrays["features"]
    cut = torch.minimum(features, arrays["threshold"].to(features.dtype))
    return _logsumexp(_head(arrays, cut))


def dice(arrays: Arrays) -> Tensor:
    """As `scores/dice.py`."""
    return _logsumexp(_head(arrays, arrays["features"], "sparse_weight"))


def scale(arrays: Arrays, percentile: float = 85.0) -> Tensor:
    """As `scores/scale.py`."""
    z = arrays["features"]
    width = z.shape[1]
    peak = torch.topk(z, width - round(width * percentile / 100), 1).values.sum(1)
    ratio = torch.where(peak != 0, z.sum(1) / torch.where(peak != 0, peak, 1), 0)
    return _logsumexp((z @ arrays["weight"].T) * torch.exp(ratio)[:, None] + arrays["bias"])


def mahalanobis(arrays: Arrays) -> Tensor:
    """As `scores/mahalanobis.py`."""
    means, whitening = arrays["class_mean"], arrays["whitening"]
    centre = means.mean(0)
    points = (means - centre) @ whitening
    white = (arrays["features"].double() - centre) @ whitening
    apart = (points**2).sum(1) - 2 * (white @ points.T)
    return -((white**2).sum(1) + apart.amin(1)).clamp(min=0)


def vim(arrays: Arrays) -> Tensor:
    """As `scores/vim.py`."""
    z, residual = arrays["features"], arrays["residual"]
    offset = (arrays["origin"] @ residual).to(z.dtype)
    size = _norms(z @ residual.to(z.dtype) - offset).double()
    return _logsumexp(arrays["logits"]) - arrays["alpha"] * size


def knn(arrays: Arrays, k: int = 50) -> Tensor:
    """As `scores/knn.py`."""
    bank, z = arrays["bank"], arrays["features"]
    size = _norms(z.double())
    query = z / torch.where(size == 0, 1, size).to(z.dtype)[:, None]
    nearest = torch.topk(query @ bank.T, k, 1).indices[:, -1]
    apart = query.double() - bank[nearest].double()
    return -(apart * apart).sum(1)


def she(arrays: Arrays) -> Tensor:
    """As `scores/she.py`."""
    return (arrays["features"].double() * arrays["pattern"][arrays["logits"].argmax(1)]).sum(1)


def gradnorm(arrays: Arrays) -> Tensor:
    """As `scores/gradnorm.py`."""
    logits = arrays["logits"]
    targets = logits.shape[1] * _softmax(logits) - 1
    return arrays["features"].abs().double().sum(1) * targets.abs().sum(1)


def nan(arrays: Arrays) -> Tensor:
    """As `scores/nan.py`."""
    z = arrays["features"]
    return z.abs().double().sum(1) / (z != 0).double().sum(1).clamp(min=1)


def otod(arrays: Arrays, temperature: float = 3.0) -> Tensor:
    """As `scores/otod.py`."""
    logits = arrays["logits"]
    views = (arrays["features"], logits, _softmax(logits, temperature))
    return -torch.stack([_transport(view) for view in views]).mean(0)


def _transport(rows: Tensor) -> Tensor:
    size = _norms(rows)
    entries = rows / torch.where(size == 0, 1, size)[:, None] + 1e-10
    to_uniform = (entries - 1 / entries.shape[1]).abs().double().mean(1)
    return torch.minimum(to_uniform, entries.abs().double().mean(1))


def fn(arrays: Arrays) -> Tensor:
    """As `scores/fn.py`."""
    return arrays["l2"].double().mean(1)


def ccfn(arrays: Arrays, calibration: str = "max") -> Tensor:
    """As `scores/ccfn.py`."""
    norm = arrays["l2"].double()
    if calibration == "none":
        return norm.mean(1)
    if calibration == "l2_whole_map":
        return (norm**2).sum(1).sqrt() * norm.mean(1)
    if calibration == "max_squared":
        return ((arrays["max"].double() * norm) ** 2).mean(1)
    return (arrays[calibration].double() * norm).mean(1)


SCORES: dict[str, Callable[..., Tensor]] = {
    made.__name__: made
    for made in (
        *(msp, energy, maxlogit, gen, temperature, react, dice, scale, mahalanobis, vim, knn),
        *(she, gradnorm, nan, otod, fn, ccfn),
    )
}
