"""Which rows of a group differ by more than chance: paired, moderated, corrected for all pairs."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

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

    def apart(self, pairs: Sequence[tuple[int, int]], level: float) -> list[bool]:
        """Which of some pairs differ, none of them by chance with probability `level`.

        Holm's procedure for all pairs of the group, also where only those with the best are asked
        for: the best is itself chosen from these numbers.
        """
        p_values = [self.p_value(*pair) for pair in pairs]
        apart = [False] * len(pairs)
        for place, number in enumerate(np.argsort(p_values)):
            if p_values[number] > (1 - level) / (len(self.pairs) - place):
                break
            apart[number] = True
        return apart
