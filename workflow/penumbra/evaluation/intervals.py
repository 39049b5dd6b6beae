"""How sure a number is: over test images, which are drawn again, and over seeds.

Two sources of chance, taken as independent: the images of every set, resampled within the set (the
bootstrap), and the seeds of the models, of which there are few, so that Student's t stands in for
a resampling of them. An estimate m, the mean over S seeds, has

    SE² = Var_images + Var_seeds / S,   m ± t(ν) · SE

with ν by Welch and Satterthwaite from S - 1 and DRAWS - 1. The same images are drawn for every
scorer, model and seed, so that the difference of two rows is taken draw by draw and seed by seed,
and what both share cancels.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from penumbra.evaluation.moderation import NONE, Prior


class Sample(NamedTuple):
    """A number's values (S,) under each seed, and (S, DRAWS) of the same resampled images."""

    values: np.ndarray
    draws: np.ndarray

    @property
    def shows_chance(self) -> bool:
        """Whether seeds or images say at all how the number scatters."""
        return len(self.values) > 1 or bool(np.ptp(self.draws) > 0)

    def less(self, other: "Sample") -> "Sample":
        """The difference to another number, seed by seed and draw by draw."""
        return Sample(self.values - other.values, self.draws - other.draws)


class Interval(NamedTuple):
    """An estimate, its standard error, and degrees of freedom; `bounds` at a level."""

    mean: float
    error: float
    freedom: float

    def bounds(self, level: float) -> tuple[float, float]:
        """The two ends of the interval that holds the truth with probability `level` in (0, 1)."""
        half = float(stdtrit(self.freedom, (1 + level) / 2)) * self.error
        return self.mean - half, self.mean + half

    def p_value(self) -> float:
        """How likely an estimate this far from 0 is where the truth is 0; two-sided, in [0, 1].

        1 where nothing measures how far it could be by chance.
        """
        if self.error == 0:
            return 1.0
        return float(2 * stdtr(self.freedom, -abs(self.mean) / self.error))


def ends(sample: Sample, level: float, is_share: bool) -> tuple[float, float] | None:
    """The two ends of a number's interval, those of a share within [0, 1]; None: not finite."""
    between = interval(sample)
    if between is None:
        return None
    low, high = between.bounds(level)
    return (max(0.0, low), min(1.0, high)) if is_share else (low, high)


def interval(sample: Sample, prior: Prior = NONE) -> Interval | None:
    """What a sample says of the number that all seeds and images of the kind would give.

    `prior` moderates the variance of the seeds. One seed says nothing of other seeds: the interval
    is then of the images alone. None where a number is not finite.
    """
    values, draws = sample
    if not (np.isfinite(values).all() and np.isfinite(draws).all()):
        return None
    seeds = len(values)
    images = float(draws.mean(0).var(ddof=1))
    between, freedom = 0.0, 1.0
    if seeds > 1:
        variance, freedom = prior.moderated(float(values.var(ddof=1)), seeds - 1)
        between = variance / seeds
    total = images + between
    if total == 0:
        return Interval(float(values.mean()), 0.0, np.inf)
    terms = images**2 / (draws.shape[1] - 1) + between**2 / freedom
    return Interval(float(values.mean()), total**0.5, total**2 / terms)
