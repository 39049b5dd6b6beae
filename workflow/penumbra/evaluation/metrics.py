"""How well one score separates ID from OOD images; larger scores mean more ID.

The papers' protocol is FN's, from the Outlier-Exposure code: ID is the positive class, AUPR is
average precision, and FPR95 takes the threshold whose ID recall is nearest to 0.95.
"""

import numpy as np

from penumbra.evaluation.finite import check

RECALL = 0.95


def metrics(
    id_scores: np.ndarray, ood_scores: np.ndarray, what: str = "scores"
) -> dict[str, float]:
    """AUROC, AUPR and FPR95 in [0, 1] of scores (n,), (m,).

    fpr95 is the OOD share accepted with ID positive (FN); fpr95_ood_positive is the ID share
    flagged when 95 % of OOD is caught (OpenOOD's convention).

    Raises:
        PenumbraError: a set is empty or holds NaN.
    """
    check(id_scores, f"{what}, ID")
    check(ood_scores, f"{what}, OOD")
    positives, negatives = _counts(id_scores, ood_scores)
    swapped = _from_below(negatives), _from_below(positives)
    return {
        "auroc": _auroc(positives, negatives),
        "aupr_id": _average_precision(positives, negatives),
        "aupr_ood": _average_precision(*swapped),
        "fpr95": _fpr_nearest(positives, negatives),
        "fpr95_ood_positive": _fpr_first(*swapped),
    }


def _counts(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each distinct threshold, from the highest down."""
    scores = np.concatenate([positive, negative]).astype(np.float64)
    is_positive = np.zeros(len(scores), dtype=bool)
    is_positive[: len(positive)] = True
    order = np.argsort(-scores)
    scores, is_positive = scores[order], is_positive[order]
    # Comparison, not difference: inf - inf is no number.
    ends = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    true = np.cumsum(is_positive)[ends]
    return true, ends + 1 - true


def _from_below(counts: np.ndarray) -> np.ndarray:
    """How many lie at or below each threshold, from the lowest up, of how many at or above it."""
    return counts[-1] - np.concatenate([[0], counts[:-1]])[::-1]


def _auroc(true: np.ndarray, false: np.ndarray) -> float:
    x = np.concatenate([[0], false]) / false[-1]
    y = np.concatenate([[0], true]) / true[-1]
    return float(np.trapezoid(y, x))


def _average_precision(true: np.ndarray, false: np.ndarray) -> float:
    steps = np.diff(np.concatenate([[0], true])) / true[-1]
    return float((steps * true / (true + false)).sum())


def _fpr_nearest(true: np.ndarray, false: np.ndarray) -> float:
    """FPR where recall is nearest to 0.95; of equal recalls the lowest threshold counts.

    Thresholds past the first full recall are dropped; among equally near ones FN takes the
    lowest threshold, i.e. the largest FPR.
    """
    last = int(np.argmax(true == true[-1]))
    recall = true[: last + 1] / true[-1]
    # FN walks from the lowest threshold up and keeps the first minimum.
    distance = np.abs(recall - RECALL)[::-1]
    return float(false[last - int(np.argmin(distance))] / false[-1])


def _fpr_first(true: np.ndarray, false: np.ndarray) -> float:
    first = int(np.argmax(true / true[-1] >= RECALL))
    return float(false[first] / false[-1])
