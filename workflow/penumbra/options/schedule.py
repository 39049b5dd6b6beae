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
    """By epoch: multistep, or cosine to zero; by batch: cosine_iteration."""
    milestones: Annotated[list[Annotated[float, between(0, 1)]], Rising()] | None = None
    """Shares of all epochs at which multistep multiplies by gamma."""
    gamma: Positive | None = None
    """Factor of multistep."""
    warmup_epochs: NotNegative = 0
    """Epochs over which cosine_iteration first rises linearly to lr."""
    floor: NotNegative = 0.0
    """Where cosine_iteration ends."""

    def together(self) -> Iterator[tuple[str, str]]:
        """Steps say where they are and how far down they go."""
        for key in ("milestones", "gamma"):
            if self.kind == "multistep" and getattr(self, key) is None:
                yield key, f"kind multistep needs its {key}"
