"""Options of per-sample adversarial training (UAT paper, Table 9)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative


@dataclass(frozen=True, kw_only=True)
class Inner(check.Options):
    """Per-sample PGD; eps and step in pixel units of [0, 1].

    Another method may attack so, too, and says itself which batches are attacked.
    """

    OWNER = "inner_attack"

    eps: NotNegative
    """l∞ bound."""
    step: NotNegative
    """Length of a step."""
    steps: Count
    """Steps."""
    random_start: bool
    """Start from a random point of the ball."""
    clip_pixels: bool = True
    """Keep examples within the range of pixels, as the attack's authors do; UAT's map is not."""


@dataclass(frozen=True, kw_only=True)
class Options(Inner):
    """Per-sample PGD training; eps and step in pixel units of [0, 1]."""

    OWNER = "method pgd"

    perturb_on: Literal["odd", "always"]
    """Which batches are perturbed."""
    index: Literal["epoch", "global"] = "epoch"
    """Whether batches are counted within the epoch or over all epochs, from 0, as UAT's."""
