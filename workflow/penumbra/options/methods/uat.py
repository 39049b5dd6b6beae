"""Options of universal adversarial training (UAT paper, Algorithm 1)."""

from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.methods.pgd import Inner
from penumbra.options.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """The switches of Algorithm 1; the schema of `recipes.*.uat` describes each."""

    OWNER = "method uat"

    position: Literal["input", "middle", "final"]
    index: Literal["epoch", "global"]
    perturb_on: Literal["odd", "always"]
    tau: Count
    alpha: NotNegative
    space: Literal["normalised", "pixel"]
    update: Literal["pgd", "sign_step", "grad_step"]
    steps: Count
    step_size: Positive
    restart: Literal["warm", "random", "zero"]
    clip: NotNegative | Literal["alpha"] | None
    init: Literal["zero", "uniform"]
    bn_phase3: Literal["eval", "train"]
    inner_attack: Inner | None
