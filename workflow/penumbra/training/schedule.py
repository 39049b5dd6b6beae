"""Learning rate as a function of the epoch; no state, so nothing to resume."""

import math


def learning_rate(schedule: dict, base: float, epoch: int, epochs: int) -> float:
    """`multistep`: base · gamma^(milestones passed, as shares of all epochs); `cosine`: to zero."""
    if schedule["kind"] == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    # A share of .9 of 10 epochs is 9.000…: compare with room for rounding.
    passed = sum(epoch + 1e-9 >= share * epochs for share in schedule["milestones"])
    return base * schedule["gamma"] ** passed
