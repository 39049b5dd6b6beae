"""Which rows of a group differ by more than chance: paired, moderated, corrected for all pairs."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.stats import false_discovery_control

from penumbra.evaluation.intervals import Sample, interval
from penumbra.evaluation.moderation import NONE, Prior, prior


class Group:
    """Samples of the same seeds and resampled images that are compared with each other.

    The differences' variances over seeds are moderated by those of all pairs (`moderation`). K
    samples under S seeds have no more than (K - 1) · (S - 1) degrees of freedom in all.

    Args:
        samples: finite ones.
    """

    def __init__(self, samples: Sequence[Sample]):
        self.samples = samples
        self.pairs = list(combinations(range(len(samples)), 2))
        self.prior = self._prior()

    def _prior(self) -> Prior:
        freedom = len(self.samples[0].values) - 1
        if freedom < 1:
            return NONE
        differences = (self.samples[i].less(self.samples[j]).values for i, j in self.pairs)
        variances = np.array([difference.var(ddof=1) for difference in differences])
        return prior(variances, freedom, (len(self.samples) - 2) * freedom)

    def p_value(self, one: int, other: int) -> float:
        """How likely two samples differ so much where they are equal in truth; in [0, 1]."""
        difference = interval(self.samples[one].less(self.samples[other]), self.prior)
        assert difference is not None  # both are finite
        return difference.p_value()

    def apart(self, level: float) -> set[tuple[int, int]]:
        """The pairs that differ: of these, a share of 1 - `level` at most is expected by chance.

        The false discovery rate of all pairs (Benjamini and Hochberg 1995), also where only those
        with the best are asked for: the best is itself chosen from these numbers. Where all
        samples are equal in truth, that is the probability that any pair is told apart.
        """
        if not self.pairs:
            return set()
        p_values = false_discovery_control([self.p_value(*pair) for pair in self.pairs])
        return {pair for pair, p in zip(self.pairs, p_values, strict=True) if p <= 1 - level}
