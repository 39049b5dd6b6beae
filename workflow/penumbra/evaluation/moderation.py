"""Variances of few values each, moderated by those of all that are compared together.

Of three seeds a variance is hardly known: some are small by chance, and a t-test on two degrees of
freedom tells almost nothing apart. But rows of a table scatter alike, within a factor. Smyth (2004,
"Linear models and empirical Bayes methods", section 6) takes the true variances of a group as
drawn around a common one, s0², with d0 degrees of freedom (1 / variance is chi-squared). Both
follow from how far the observed variances lie apart, and each is then drawn towards s0².
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma


class Prior(NamedTuple):
    """The variance s0² that a group has in common, and what it counts: d0 degrees of freedom."""

    variance: float
    freedom: float

    def moderated(self, variance: float, freedom: float) -> tuple[float, float]:
        """An observed variance of `freedom` degrees, drawn towards the prior's; and its freedom."""
        total = self.freedom + freedom
        return (self.freedom * self.variance + freedom * variance) / total, total


NONE = Prior(0.0, 0.0)
LEAST = 6  # variances that a prior is learned from: those of the pairs of four rows


def prior(variances: np.ndarray, freedom: int, most: float) -> Prior:
    """The prior of variances (n,) observed with `freedom` degrees each, of at most `most` itself.

    By the moments of log variances, as there. NONE where fewer than LEAST variances are not 0.
    """
    positive = variances[variances > 0]
    if len(positive) < LEAST:
        return NONE
    e = np.log(positive) - digamma(freedom / 2) + np.log(freedom / 2)
    spread = float(e.var(ddof=1) - polygamma(1, freedom / 2))
    d0 = min(2 * _inverse_trigamma(spread), most) if spread > 0 else most
    return Prior(float(np.exp(e.mean() + digamma(d0 / 2) - np.log(d0 / 2))), d0)


def _inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value; both are positive."""
    return float(brentq(lambda x: polygamma(1, x) - value, 1e-8, 1e8))
