"""Options of per-sample adversarial training (UAT paper, Table 9)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Per-sample PGD; eps and step in pixel units of [0, 1]."""

    OWNER = "method pgd"

    eps: NotNegative
    """l∞ bound."""
    step: NotNegative
    """Length of a step."""
    steps: Count
    """Steps."""
    random_start: bool
    """Start from a random point of the ball."""
    perturb_on: Literal["odd", "always"]
    """Which batches of an epoch are perturbed."""


@dataclass(frozen=True, kw_only=True)
class Inner(Options):
    """The attack inside another method, which says itself which batches are attacked."""

    OWNER = "inner_attack"

    perturb_on: Literal["odd", "always"] = "always"
