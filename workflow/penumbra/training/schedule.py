"""Learning rate as a function of epoch and batch; no state, so nothing to resume."""

import math
from collections.abc import Sequence

from penumbra.options.schedule import Schedule


def learning_rate(
    schedule: dict, base: float, epoch: int, epochs: int, index: int = 0, batches: int = 1
) -> float:
    """The rate of batch `index` of `batches` in an epoch, all counted from 0.

    `multistep`: base · gamma^(milestones passed, as shares of all epochs). `cosine`: to zero, by
    epoch. `cosine_iteration`: by batch, linearly up to base over `warmup_epochs`, then a half
    cosine over the rest down to `floor`.
    """
    if schedule["kind"] == "cosine_iteration":
        warmup = schedule.get("warmup_epochs", Schedule.warmup_epochs) * batches
        step = epoch * batches + index
        if step < warmup:
            return base * (step + 1) / warmup
        floor = schedule.get("floor", Schedule.floor)
        return floor + (base - floor) * _cosine((step - warmup) / (epochs * batches - warmup))
    if schedule["kind"] == "cosine":
        return base * _cosine(epoch / epochs)
    return base * schedule["gamma"] ** passed(schedule["milestones"], epoch, epochs)


def passed(milestones: Sequence[float], epoch: int, epochs: int) -> int:
    """How many milestones, shares of all epochs, an epoch has passed, counted from 0."""
    # A share of .9 of 10 epochs is 9.000…: compare with room for rounding.
    return sum(epoch + 1e-9 >= share * epochs for share in milestones)


def _cosine(share: float) -> float:
    """1 at 0, falling to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * share))
