"""Whether scorers differ over many OOD image sets: mean ranks, Friedman's test, Nemenyi's.

As Demšar, "Statistical comparisons of classifiers over multiple data sets" (JMLR 2006), section
3.2. What is ranked within is a block; blocks are taken as independent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy.stats import f, friedmanchisquare, rankdata, studentized_range

LEAST = (3, 2)  # scorers and blocks that Friedman's test asks for


@dataclass(frozen=True)
class Ranking:
    """K scorers over N blocks.

    `means` are mean ranks, from 1, the best, to K. `p_value` is that of Friedman's test, `pairs`
    (K, K) those of Nemenyi's; `critical` is how far two mean ranks lie apart where it tells them
    apart.
    """

    means: pd.Series
    p_value: float
    pairs: pd.DataFrame
    critical: float


def ranking(values: pd.DataFrame, is_high_better: bool, level: float) -> Ranking:
    """Rank scorers, the columns of (N, K) values, within blocks, the rows; LEAST at least.

    Equal values share their mean rank. Where Friedman's test tells nothing at `level` in (0, 1),
    no pair is tested: all of `pairs` is 1.
    """
    ranked = -values if is_high_better else values
    count, scorers = values.shape
    means = pd.Series(rankdata(ranked, axis=1).mean(axis=0), index=values.columns)
    p_value = _iman_davenport(ranked.to_numpy())
    pairs = posthoc_nemenyi_friedman(ranked)
    if p_value > 1 - level:
        pairs[:] = 1.0
    spread = (scorers * (scorers + 1) / (6 * count)) ** 0.5
    critical = studentized_range.ppf(level, scorers, np.inf) / 2**0.5 * spread
    return Ranking(means, p_value, pairs, float(critical))


def _iman_davenport(values: np.ndarray) -> float:
    """P-value of Friedman's test by the F distribution, which holds for few blocks, too.

    Demšar's section 3.2.2: F = (N - 1) χ² / (N (K - 1) - χ²), with K - 1 and (K - 1)(N - 1)
    degrees of freedom. 1 where every block ranks all alike.
    """
    count, scorers = values.shape
    if (np.ptp(values, axis=1) == 0).all():
        return 1.0
    chi2 = friedmanchisquare(*values.T).statistic
    rest = count * (scorers - 1) - chi2
    if rest <= 1e-9:  # all blocks agree
        return 0.0
    return float(f.sf((count - 1) * chi2 / rest, scorers - 1, (scorers - 1) * (count - 1)))
