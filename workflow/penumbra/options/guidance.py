"""How outlier embeddings are sampled around anchors (Bad-OOD, section 3.2)."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, make_dataclass
from typing import Annotated, Any, Literal

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


@dataclass(frozen=True)
class Guidance(check.Options):
    """How outlier embeddings are sampled: the keys of an outlier set's `guidance`.

    An anchor is noised to index `start`, or the grid's nearest, and denoised by DDIM on a grid of
    `grid` steps; every `every`-th grid step also moves the state by `scale` along the direction:
    the minority gradient, or Gaussian noise of the same maximum (Bad-OOD, Table 6). `update` scales
    the move by nothing (fixed) or the step's posterior variance (var), or shifts the noise estimate
    instead (score). `oneshot` moves once, at `start` itself, and ends with the estimate there.
    """

    OWNER = "guidance"

    scale: NotNegative
    direction: Literal["minority", "gaussian", "none"] = "minority"
    mode: Literal["trajectory", "oneshot"] = "trajectory"
    start: Index = 300
    grid: Count = 250
    eta: Eta = 0.0
    update: Literal["fixed", "var", "score"] = "fixed"
    normalise: Literal["inf", "raw"] = "inf"
    every: Count = 1
    perturb: Index = 125
    samples: Count = 1
    distance: Literal["l1", "l2", "sql2"] = "l2"
    stop_gradient: bool = True

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


def no_grid(count: int, total: int) -> str:
    """What to say of a grid that leaves its schedule."""
    fitting = [str(n) for n in range(1, total // 2 + 1) if total % n == 0]
    return (
        f"no DDIM grid of {count} steps fits a schedule of {total}: the published one is "
        f"shifted by one and would leave it; take one of {', '.join(fitting)}"
    )


# An outlier set's `guidance`: what each of its scales shares, and the precision of the RDM.
Block: Any = make_dataclass(
    "Block",
    [
        ("scales", Annotated[list[NotNegative], Distinct()]),
        ("precision", Precision),
        *((f.name, f.type, f) for f in fields(Guidance) if f.name != "scale"),
    ],
    bases=(check.Options,),
    namespace={"OWNER": "guidance", "together": Guidance.together},
    frozen=True,
)
