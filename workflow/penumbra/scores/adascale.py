"""AdaSCALE-A and AdaSCALE-L: SCALE by a percentile of each image's own (Regmi 2025)."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from penumbra.errors import unknown
from penumbra.networks.probe import Probe
from penumbra.options.ranges import NotNegative, Ordered, Percent

NEEDS = ("gradients",)
FIT = ("heldout", "gradients")
Form = Literal["a", "l"]
TOGETHER = (Ordered("low", "high"),)


def fit(
    probe: Probe,
    batches: Iterable[Tensor],
    k_shift: Percent = 1.0,
    k_correction: Percent = 5.0,
    weight: NotNegative = 10.0,
    inputs: Percent = 5.0,
    epsilon: NotNegative = 0.5,
) -> dict[str, Tensor]:
    """Q′ of held-out ID images, by which a test image's is ranked.

    Q′ sums the activations after a perturbation over the `k_correction` % most active units, and
    `weight` (λ) times their shifts over the `k_shift` % most active ones; the perturbation moves
    the `inputs` % of the inputs with the smallest gradients by `epsilon`, in normalised units.

    Returns:
        `support`, Q′ sorted (n,); and what Q′ is made of, so that score() makes the same: the steps
        of inputs ranked by gradient, `steps` (3·H·W,), and the weights of units ranked by activity,
        `shifts` and `corrections` (D,).
    """
    stabilities: list[Tensor] = []
    ranked: dict[str, Tensor] = {}
    for x in batches:
        if not ranked:
            units = probe.model.get_parameter("fc.weight").shape[1]
            ranked = {
                "steps": _first(x[0].numel(), inputs, epsilon, x),
                "shifts": _first(units, k_shift, weight, x),
                "corrections": _first(units, k_correction, 1.0, x),
            }
        z, _, after = perturbed(probe, x, ranked["steps"])
        stabilities.append(stability(z, after, ranked))
    return {"support": torch.cat(stabilities).sort().values, **ranked}


def score(
    probe: Probe, x: Tensor, form: Form = "a", low: Percent = 60.0, high: Percent = 85.0
) -> Tensor:
    """logsumexp of the logits of z · exp(r), form `a`, or of logits · r², form `l`.

    (n, 3, H, W) -> (n,). r is SCALE's ratio at a percentile between `low` and `high`: the rarer so
    large a Q′ is among ID images, the nearer to `low`. The paper tunes `high`; 85 is OpenOOD's.

    Raises:
        PenumbraError: there is no such form.
    """
    if form not in get_args(Form):
        raise unknown("form", form, get_args(Form), "scorer adascale")
    z, logits, after = perturbed(probe, x, probe.fitted["steps"])
    r = ratio(z, percentile(probe.fitted, z, after, low, high))[:, None]
    with torch.no_grad():
        scaled = probe.model.fc(z * r.exp()) if form == "a" else logits * r.square()
        return torch.logsumexp(scaled, 1)


def perturbed(probe: Probe, x: Tensor, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Features (n, D) and logits (n, C) of x, and features where inputs of low gradient moved.

    The gradient is the largest logit's; `steps` (3·H·W,) go, in its direction, to the inputs in
    order of its size, the smallest first.
    """
    x = x.detach().requires_grad_()
    z = probe.features(x)
    logits = probe.model.fc(z)
    (gradient,) = torch.autograd.grad(logits.max(1).values.sum(), x)
    gradient = gradient.flatten(1)
    with torch.no_grad():
        order = gradient.abs().argsort(dim=1, stable=True)
        sizes = torch.empty_like(gradient).scatter_(1, order, steps.expand_as(gradient))
        after = probe.features(x + (sizes * gradient.sign()).view_as(x))
    return z.detach(), logits.detach(), after


def stability(z: Tensor, after: Tensor, ranked: Mapping[str, Tensor]) -> Tensor:
    """Q′ of features (n, D) before and after the perturbation: (n,)."""
    order = z.argsort(dim=1, descending=True, stable=True)
    shifts = (z - after).abs().gather(1, order) @ ranked["shifts"]
    return after.relu().gather(1, order) @ ranked["corrections"] + shifts


def percentile(
    fitted: Mapping[str, Tensor], z: Tensor, after: Tensor, low: float, high: float
) -> Tensor:
    """Each image's percentile between `low` and `high`: (n,) float64."""
    support = fitted["support"]
    rank = torch.searchsorted(support, stability(z, after, fitted), right=True)
    return low + (1 - rank.double() / len(support)) * (high - low)


def ratio(z: Tensor, percentiles: Tensor) -> Tensor:
    """SCALE's r ≥ 1 of features (n, D): all activity over that of units above the percentile.

    1 for an image without any activity.
    """
    units = z.shape[1]
    ranked = z.relu().sort(1, descending=True).values
    kept = (units - (units * percentiles / 100).round()).clamp(min=1)
    top = ranked * (torch.arange(units, device=z.device) < kept[:, None])
    whole, first = ranked.sum(1), top.sum(1)
    return torch.where(first > 0, whole / first, torch.ones_like(whole))


def _first(total: int, percent: float, value: float, like: Tensor) -> Tensor:
    """`value` for the first `percent` % of `total` places, one at least, and 0 for the rest."""
    values = like.new_zeros(total)
    values[: max(1, int(total * percent / 100))] = value
    return values
