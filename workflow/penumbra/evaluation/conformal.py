"""Conformal bounds of AUROC and FPR: what few ID test images cannot do to them.

A metric takes the share of ID images at or below a score for the probability of one. Bates,
Candès, Lei, Romano and Sesia ("Testing for outliers with conformal p-values", Annals of Statistics
2023) bound that probability at all scores together, whatever the distribution is; Novello, Dalmau
and Andeol ("Out-of-distribution detection should use conformal prediction (and vice-versa?)",
2024) put the bound in the place of the share: conformal AUROC and conformal FPR. They bound the
bad side alone; the other end follows by symmetry. OOD images are taken as they are.
"""

import functools

import numpy as np

LEVEL = 0.95  # how likely both ends hold, each with half of what is left
Bounds = tuple[float, float]


@functools.cache  # all scorers of a model are of the same images
def band(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of P(score at or below y) by how many of `count` ID scores are, each (count + 1,).

    Both hold for every y at once with probability LEVEL.
    """
    miss = (1 - LEVEL) / 2
    # Each of two bounds has half of the misses, so that the lower one may be taken everywhere.
    ordered = np.minimum(_dkwm(count, miss / 2), _simes(count, miss / 2))
    high = np.append(ordered, 1.0)
    return 1 - high[::-1], high


def _dkwm(count: int, miss: float) -> np.ndarray:
    """Bates et al., Eq. 13: (n,) that ordered uniform draws stay below but with chance `miss`.

    One-sided, by Massart's constant.
    """
    return np.minimum(np.arange(1, count + 1) / count + (-np.log(miss) / (2 * count)) ** 0.5, 1)


def _simes(count: int, miss: float) -> np.ndarray:
    """The same by their Eq. 12, the generalised Simes inequality with k = n / 2.

    b_(n+1-i) = 1 - miss^(1/k) (i ⋯ (i - k + 1) / (n ⋯ (n - k + 1)))^(1/k); close where draws are
    small.
    """
    k = max(1, count // 2)
    products = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])  # log i!
    i = np.arange(count, k - 1, -1)
    logs = products[i] - products[i - k] - products[count] + products[count - k]
    return np.append(1 - np.exp((np.log(miss) + logs) / k), np.ones(k - 1))


def auroc(of_id: np.ndarray, of_ood: np.ndarray) -> Bounds:
    """AUROC- and AUROC+ of ID scores (n,) and OOD scores (m,); ties count half."""
    ordered = np.sort(of_id)
    ends = []
    for end in band(len(of_id)):
        sides = (end[np.searchsorted(ordered, of_ood, side)].mean() for side in ("left", "right"))
        ends.append(float(1 - sum(sides) / 2))
    low, high = sorted(ends)
    return low, high


def fpr(of_id: np.ndarray, of_ood: np.ndarray, recall: float) -> Bounds:
    """Ends of the share of OOD images accepted where the ID recall in truth is `recall`.

    At a threshold where even the lower end of the recall is as large, at least as many OOD images
    are accepted; where the upper end is no larger, at most as many.
    """
    ordered = np.sort(of_id)
    below, up_to = band(len(of_id))
    surely_under = int(np.searchsorted(up_to[:-1], 1 - recall, "right"))
    most = (of_ood >= ordered[surely_under - 1]).mean() if surely_under else 1.0
    surely_over = int(np.searchsorted(below, 1 - recall))
    least = (of_ood > ordered[surely_over - 1]).mean() if surely_over < len(below) else 0.0
    return float(least), float(most)


def fpr_ood_positive(of_id: np.ndarray, of_ood: np.ndarray, recall: float) -> Bounds:
    """FPR- and FPR+, of ID images flagged where `recall` of the OOD images are (Novello et al.)."""
    shares = np.arange(1, len(of_ood) + 1) / len(of_ood)
    threshold = np.sort(of_ood)[np.argmax(shares >= recall)]
    flagged = int((of_id <= threshold).sum())
    low, high = (float(end[flagged]) for end in band(len(of_id)))
    return low, high
