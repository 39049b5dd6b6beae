"""How outlier embeddings are sampled around anchors (Bad-OOD, section 3.2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import Bound, Count, Distinct, NotNegative, Precision

STEPS = 1000  # of the RDM's schedule, as published
Index = Annotated[
    int,
    Bound(0, STEPS - 1, text=f"beyond the RDM's schedule; its indices are 0 to {STEPS - 1}"),
]
Eta = Annotated[float, Bound(0, 1, text="not in [0, 1]; DDIM's noise ends at eta 1")]


def lies_in(count: int, total: int) -> bool:
    """Whether a DDIM grid of `count` steps lies in a schedule of `total`.

    It is every (total // count)-th index, shifted by one as published.
    """
    return 0 < count <= total and range(1, total + 1, total // count)[-1] < total


@dataclass(frozen=True, kw_only=True)
class Sampling(check.Options):
    """What all guidance scales share.

    An anchor is noised, and denoised by DDIM; steps of its grid also move the state by the scale
    along the direction.
    """

    OWNER = "guidance"

    direction: Literal["minority", "gaussian", "none"] = "minority"
    """Minority gradient, Gaussian noise of the same maximum (Table 6), or no guidance."""
    mode: Literal["trajectory", "oneshot"] = "trajectory"
    """Denoise down from start, or move once, at start itself, and take the estimate there."""
    start: Index = 300
    """Index that anchors are noised to, or the grid's nearest (t; Table 4)."""
    grid: Count = 250
    """Steps of the whole DDIM grid, of which those below start are taken."""
    eta: Eta = 0.0
    """DDIM's own noise."""
    update: Literal["fixed", "var", "score"] = "fixed"
    """The move is scaled by nothing, by the step's posterior variance, or shifts the noise
    estimate."""
    normalise: Literal["inf", "raw"] = "inf"
    """Divide each gradient by its largest entry, or not."""
    every: Count = 1
    """Steps of the grid between moves."""
    perturb: Index = 125
    """Index that estimates are noised to for the minority score (s)."""
    samples: Count = 1
    """Monte-Carlo samples of the minority score."""
    distance: Literal["l1", "l2", "sql2"] = "l2"
    """Distance of the minority score."""
    stop_gradient: bool = True
    """The second estimate is a constant, as in the code of Um and Ye."""

    def together(self) -> Iterator[tuple[str, str]]:
        """One move has no steps; the steps of a trajectory lie in the schedule."""
        if self.mode == "oneshot" and self.update != "fixed":
            yield (
                "update",
                f"update {self.update!r} needs the steps of a trajectory; take mode trajectory, or "
                "update fixed",
            )
        if self.mode == "trajectory" and not lies_in(self.grid, STEPS):
            yield "grid", no_grid(self.grid, STEPS)


@dataclass(frozen=True)
class Guidance(Sampling):
    """How outlier embeddings are sampled at one scale."""

    scale: NotNegative
    """Length of a move."""


@dataclass(frozen=True, kw_only=True)
class Block(Sampling):
    """How outlier embeddings are sampled around anchors (Bad-OOD, section 3.2)."""

    scales: Annotated[list[NotNegative], Distinct()]
    """Guidance scales; every class's anchors are shared among them evenly."""
    precision: Precision
    """Of the RDM; states and steps stay float32."""


def no_grid(count: int, total: int) -> str:
    """What to say of a grid that leaves its schedule."""
    fitting = [str(n) for n in range(1, total // 2 + 1) if total % n == 0]
    return (
        f"no DDIM grid of {count} steps fits a schedule of {total}: the published one is "
        f"shifted by one and would leave it; take one of {', '.join(fitting)}"
    )
