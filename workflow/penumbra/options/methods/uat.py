"""Options of universal adversarial training (UAT paper, Algorithm 1)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from penumbra.options import check
from penumbra.options.methods.pgd import Inner
from penumbra.options.ranges import Count, NotNegative, Positive


@dataclass(frozen=True, kw_only=True)
class Options(check.Options):
    """Variants of Algorithm 1."""

    OWNER = "method uat"

    position: Literal["input", "middle", "final"]
    """Where the map is added (Table 8)."""
    index: Literal["epoch", "global"]
    """Whether batches are counted within the epoch or over all epochs, from 0."""
    perturb_on: Literal["odd", "always"]
    """Batches of phase 2; always gives Shafahi et al. (2020)."""
    tau: Count
    """Batches between updates of the map (Table 6)."""
    alpha: NotNegative
    """l∞ bound of the map with update pgd (Table 12); the step's length otherwise."""
    space: Literal["normalised", "pixel"]
    """Unit of alpha at the input: normalised pixels, or pixels in [0, 1]."""
    update: Literal["pgd", "sign_step", "grad_step"]
    """How phase 3 moves the map; the steps accumulate."""
    steps: Count
    """PGD steps of one update."""
    step_size: Positive
    """Length of a PGD step, in units of alpha."""
    restart: Literal["warm", "random", "zero"]
    """Where an update of kind pgd starts from: the last map, a random one, or none."""
    clip: NotNegative | Literal["alpha"] | None
    """Bound of accumulating steps: a number, alpha, or null for none (diverges)."""
    init: Literal["zero", "uniform"]
    """The first map."""
    bn_phase3: Literal["eval", "train"]
    """Batch norm's mode while the map moves."""
    inner_attack: Inner | None
    """Algorithm 1, line 15 read literally: per-sample PGD before the map moves by any update; null
    for none."""

    def together(self) -> Iterator[tuple[str, str]]:
        """What would change nothing is refused."""
        if self.restart != "warm" and self.update != "pgd":
            yield (
                "restart",
                f"restart {self.restart} is for update pgd; the steps of {self.update} add up from "
                "the map before: say warm",
            )
        if self.space == "pixel" and self.position != "input":
            yield (
                "space",
                f"space pixel is for position input; at {self.position} alpha is in units of that "
                "place's activations: say normalised",
            )
