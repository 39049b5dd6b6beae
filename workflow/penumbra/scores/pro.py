"""Perturbation-rectified confidence: the least on a short descent (PRO, Chen et al. 2025)."""

from typing import Annotated, Literal

import torch
from torch import Tensor

from penumbra.errors import unknown
from penumbra.networks.probe import Probe
from penumbra.options.check import require
from penumbra.options.ranges import Belongs, Count, NotNegative, Positive, at_least

NEEDS = ("gradients",)
# Parameters of each variant by the official code. Its search, for which it needs OOD images, starts
# the temperature at 1, which is msp; the next value of the search is taken.
VARIANTS: dict[str, dict[str, float]] = {
    "gen": {"steps": 3, "eps": 5e-4, "gamma": 0.1, "top": 100},
    "msp": {"steps": 1, "eps": 3e-3},
    "msp_t": {"steps": 1, "eps": 3e-3, "temperature": 10.0},
    "ent": {"steps": 2, "eps": 1.4e-3},
}
Variant = Literal["gen", "msp", "msp_t", "ent"]
TOGETHER = (Belongs("variant", VARIANTS),)


def score(
    probe: Probe,
    x: Tensor,
    variant: Variant = "gen",
    *,
    steps: Annotated[int, at_least(0)] | None = None,
    eps: NotNegative | None = None,
    temperature: Positive | None = None,
    gamma: Positive | None = None,
    top: Count | None = None,
) -> Tensor:
    """min over t = 0 … K of the confidence at x_t, x_{t+1} = x_t - ε · sgn(∇ confidence(x_t)).

    (n, 3, H, W) -> (n,). `steps` K and `eps` ε, in units of normalised inputs; `temperature` of
    msp_t; of gen, `gamma` and the number `top` of largest probabilities; None for the variant's
    own. Neither projected nor clipped; a zero gradient moves nothing.

    Raises:
        PenumbraError: no such variant, or a parameter that the variant does not have.
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS, "scorer pro")
    given = {"steps": steps, "eps": eps, "temperature": temperature, "gamma": gamma, "top": top}
    require("scorer pro", TOGETHER, variant=variant, **given)
    chosen = VARIANTS[variant] | {key: value for key, value in given.items() if value is not None}
    count, size = int(chosen.pop("steps")), chosen.pop("eps")
    least = x.new_full((len(x),), torch.inf, dtype=torch.float64)
    for step in range(count + 1):
        x = x.detach().requires_grad_(step < count)
        value = confidence(probe.logits(x), variant, **chosen)
        least = torch.minimum(least, value.detach())
        if step < count:
            (gradient,) = torch.autograd.grad(value.sum(), x)
            x = x.detach() - size * gradient.sign()
    return least


def confidence(
    logits: Tensor, variant: str, temperature: float = 1.0, gamma: float = 0.1, top: float = 100
) -> Tensor:
    """Confidence of logits (n, C) -> (n,) in float64: larger means more certain.

    msp, msp_t: max p in [1/C, 1]; ent: Σ p log p ≤ 0; gen (Liu et al. 2023): -Σ pᵞ(1 - p)ᵞ ≤ 0
    over the `top` largest p.
    """
    # In float64, so that a probability next to 1 still has a gradient.
    logits = logits.double() / temperature
    if variant == "gen":
        return _gen(torch.log_softmax(logits, 1), gamma, int(top))
    p = torch.softmax(logits, 1)
    if variant == "ent":
        return (p * (p + 1e-10).log()).sum(1)
    return p.max(1).values


def _gen(log_p: Tensor, gamma: float, top: int) -> Tensor:
    """Generalised entropy of log probabilities (n, C) -> (n,).

    In logarithms: at p = 1 or p = 0 the powers have no finite gradient.
    """
    log_p = log_p.sort(1, descending=True).values
    # Only the first p can be next to 1; what the others add up to is 1 - p without cancellation.
    log_rest = torch.logsumexp(log_p[:, 1:], 1, keepdim=True)
    log_rest = torch.cat([log_rest, torch.log1p(-log_p[:, 1:].exp())], 1)
    return -(gamma * (log_p + log_rest))[:, :top].exp().sum(1)
