"""Generalized ODIN's score (Hsu et al. 2020); for networks trained with its head."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, get_args

import torch
from torch import Tensor

from penumbra.errors import PenumbraError, unknown
from penumbra.networks.layers.heads import GodinHead
from penumbra.networks.probe import Probe, sign, slope
from penumbra.options.ranges import Filled, NotNegative

NEEDS = ("gradients",)
FIT = ("heldout", "gradients")
Of = Literal["h", "g", "logit"]
OF = get_args(Of)


def fit(
    probe: Probe,
    batches: Iterable[Tensor],
    eps: Annotated[Sequence[NotNegative], Filled()] = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08),
) -> dict[str, Tensor]:
    """The step that gives held-out ID images the largest mean score (Eq. 9), for each score.

    Returns:
        `eps_h`, `eps_g`, `eps_logit`, each (1,): one of `eps`, the first of equals.

    Raises:
        PenumbraError: the network has another head.
    """
    steps = torch.tensor(list(eps), dtype=torch.float64)
    totals = {of: torch.zeros(len(steps), dtype=torch.float64) for of in OF}
    for x in batches:
        for of in OF:
            towards = direction(probe, x, of)
            with torch.no_grad():
                sums = [value(probe, x + step * towards, of).double().sum() for step in eps]
            totals[of] = totals[of].to(x.device) + torch.stack(sums)
    return {f"eps_{of}": steps[[int(totals[of].argmax())]] for of in OF}


def score(probe: Probe, x: Tensor, of: Of = "h") -> Tensor:
    """S(x + ε · sgn(∇ₓ S)) with S = max h, g or max logit: (n, 3, H, W) -> (n,).

    The paper's best is `h` (DeConf-C). ε, of fit(), is a step in units of pixels, so it is divided
    by the inputs' std. Where the gradient is zero its sign counts as +1.

    Raises:
        PenumbraError: the network has another head, or there is no such score.
    """
    if of not in OF:
        raise unknown("of", of, OF, "scorer godin")
    moved = x + probe.fitted[f"eps_{of}"] * direction(probe, x, of)
    with torch.no_grad():
        return value(probe, moved, of)


def direction(probe: Probe, x: Tensor, of: str) -> Tensor:
    """Where a step of one unit of pixels goes to raise the score: the shape of x."""
    return sign(slope(x, lambda inputs: value(probe, inputs, of))) / probe.std


def value(probe: Probe, x: Tensor, of: str) -> Tensor:
    """max h, g or max logit of inputs as they are: (n,).

    Raises:
        PenumbraError: the network has another head.
    """
    head = probe.model.fc
    if not isinstance(head, GodinHead):
        raise PenumbraError(
            "scorer godin: the network has no GODIN head; train one by a recipe with "
            "head: {similarity: cosine}"
        )
    z = probe.features(x)
    if of == "g":
        return head.g(z)[:, 0]
    return (head.h(z) if of == "h" else head(z)).max(1).values
