"""How the learning rate of a classifier moves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from penumbra.options import check
from penumbra.options.ranges import NotNegative, Positive, Rising, between


@dataclass(frozen=True, kw_only=True)
class Schedule(check.Options):
    """What `penumbra.training.schedule.learning_rate` reads; a kind leaves the others' options."""

    OWNER = "schedule"

    kind: Literal["multistep", "cosine", "cosine_iteration"]
    milestones: Annotated[list[Annotated[float, between(0, 1)]], Rising()] | None = None
    gamma: Positive | None = None
    warmup_epochs: NotNegative = 0
    floor: NotNegative = 0.0

    def together(self) -> Iterator[tuple[str, str]]:
        """Steps say where they are and how far down they go."""
        for key in ("milestones", "gamma"):
            if self.kind == "multistep" and getattr(self, key) is None:
                yield key, f"kind multistep needs its {key}"
