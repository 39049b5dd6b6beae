"""Options of per-sample adversarial training (UAT paper, Table 9)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.ranges import Count, NotNegative


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """eps and step in pixel units of [0, 1]; `perturb_on` odd batches of an epoch, or always."""

    OWNER = "method pgd"

    eps: NotNegative
    step: NotNegative
    steps: Count
    random_start: bool
    perturb_on: Literal["odd", "always"]


@dataclass(frozen=True, kw_only=True)
class Inner(Options):
    """The attack inside another method, which says itself which batches are attacked."""

    OWNER = "inner_attack"

    perturb_on: Literal["odd", "always"] = "always"
