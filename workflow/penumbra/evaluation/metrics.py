"""What a number in a table may be, and how well one score separates ID from OOD images.

Larger scores mean more ID. The papers' protocol is FN's, from the Outlier-Exposure code: ID is the
positive class, AUPR is average precision, and FPR95 takes the threshold whose ID recall is nearest
to 0.95.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from penumbra.evaluation.finite import check

RECALL = 0.95
PERCENT = "%"
Counts = tuple[np.ndarray, np.ndarray]  # by threshold, how many of two sets lie beyond it


class Compared:
    """Scores of ID and of OOD images, (n,) and (m,), and what lies beyond each of their values.

    Raises:
        PenumbraError: a set is empty or holds NaN.
    """

    def __init__(self, id_scores: np.ndarray, ood_scores: np.ndarray, what: str = "scores"):
        check(id_scores, f"{what}, ID")
        check(ood_scores, f"{what}, OOD")
        self.id, self.ood = id_scores, ood_scores

    @functools.cached_property
    def accepted(self) -> Counts:
        """How many ID and OOD images are accepted, at each threshold from the highest down."""
        return _counts(self.id, self.ood)

    @functools.cached_property
    def flagged(self) -> Counts:
        """How many OOD and ID images are flagged, at each threshold from the lowest up."""
        true, false = self.accepted
        return _from_below(false), _from_below(true)


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


def _auroc(of: Compared) -> float:
    true, false = of.accepted
    x = np.concatenate([[0], false]) / false[-1]
    y = np.concatenate([[0], true]) / true[-1]
    return float(np.trapezoid(y, x))


def _average_precision(counts: Counts) -> float:
    true, false = counts
    steps = np.diff(np.concatenate([[0], true])) / true[-1]
    return float((steps * true / (true + false)).sum())


def _fpr_nearest(of: Compared) -> float:
    """FPR where recall is nearest to 0.95; of equal recalls the lowest threshold counts.

    Thresholds past the first full recall are dropped; among equally near ones FN takes the
    lowest threshold, i.e. the largest FPR.
    """
    true, false = of.accepted
    last = int(np.argmax(true == true[-1]))
    recall = true[: last + 1] / true[-1]
    # FN walks from the lowest threshold up and keeps the first minimum.
    distance = np.abs(recall - RECALL)[::-1]
    return float(false[last - int(np.argmin(distance))] / false[-1])


def _fpr_first(of: Compared) -> float:
    true, false = of.flagged
    first = int(np.argmax(true / true[-1] >= RECALL))
    return float(false[first] / false[-1])


def _norm_ratio(of: Compared) -> float:
    """No number where scores are infinite, or their mean is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return of.id.mean() / of.ood.mean()


@dataclass(frozen=True)
class Metric:
    """What a table calls a number, how it prints and ranks it, and where the number is from.

    `artifact` is the kind of artifact that holds it (`planning/paths.py`). `form` is PERCENT for a
    share in [0, 1], else a format of Python. `better` is the side that ranks first, or empty for a
    number that is neither good nor bad. `printed` is what the papers' transcribed tables call it.
    `of` computes it from scores, where the artifact is `metrics`; `is_full` adds covariate-shifted
    ID images to the ID side (full spectrum, OpenOOD v1.5).
    """

    head: str
    artifact: str
    better: Literal["high", "low", ""] = ""
    form: str = PERCENT
    printed: tuple[str, ...] = ()
    of: Callable[[Compared], float] | None = None
    is_full: bool = False

    @property
    def title(self) -> str:
        """The head of its column: an arrow shows which side is better."""
        return f"{self.head} {ARROWS[self.better]}".strip()


ARROWS = {"high": "↑", "low": "↓", "": ""}
FULL = "full spectrum"

# One entry a metric; those of scores stand in the order of the columns of `metrics` artifacts.
METRICS: dict[str, Metric] = {
    "auroc": Metric("AUROC", "metrics", "high", PERCENT, ("auroc",), _auroc),
    "aupr_id": Metric(
        "AUPR-ID", "metrics", "high", of=lambda scores: _average_precision(scores.accepted)
    ),
    # The papers do not say which side of their AUPR is positive.
    "aupr_ood": Metric(
        *("AUPR-OOD", "metrics", "high", PERCENT, ("aupr",)),
        of=lambda scores: _average_precision(scores.flagged),
    ),
    "fpr95": Metric("FPR95", "metrics", "low", PERCENT, ("fpr95",), _fpr_nearest),
    # OpenOOD's convention: the ID share flagged when 95 % of OOD is caught.
    "fpr95_ood_positive": Metric("FPR95 (OOD positive)", "metrics", "low", of=_fpr_first),
    "full_fpr95": Metric(
        f"FPR95, {FULL}", "metrics", "low", PERCENT, ("fpr95",), _fpr_nearest, is_full=True
    ),
    "full_auroc": Metric(
        f"AUROC, {FULL}", "metrics", "high", PERCENT, ("auroc",), _auroc, is_full=True
    ),
    "norm_id": Metric(
        "ID norm", "metrics", "", ".3f", ("norm_id",), lambda scores: scores.id.mean()
    ),
    "norm_ood": Metric(
        "OOD norm", "metrics", "", ".3f", ("norm_ood",), lambda scores: scores.ood.mean()
    ),
    "norm_ratio": Metric("Norm ratio", "metrics", "high", ".3f", ("norm_ratio",), _norm_ratio),
    "train_accuracy": Metric("Train accuracy", "accuracy", "high"),
    "heldout_accuracy": Metric("Held-out accuracy", "accuracy", "high"),
    "test_accuracy": Metric("Test accuracy", "accuracy", "high", printed=("test_acc", "id_acc")),
    "shifted_accuracy": Metric("Shifted accuracy", "accuracy", "high", printed=("id_acc",)),
    "test_matched_accuracy": Metric("Test accuracy, known classes", "accuracy", "high"),
    "shifted_matched_accuracy": Metric("Shifted accuracy, known classes", "accuracy", "high"),
    "running_accuracy": Metric(
        "Train accuracy, running", "history", "high", printed=("train_acc",)
    ),
    "train_seconds": Metric("Training [s]", "training-run", "low", ".1f", ("seconds",)),
    "latency": Metric("Latency [s/image]", "latency", "low", ".6f", ("seconds",)),
    "synthesis_seconds": Metric("Synthesis [s/100 images]", "outliers", "low", ".2f", ("seconds",)),
    **{
        f"ood{i}_count": Metric(f"OOD-{'I' * i}", "categories", "", ".1f", ("count",))
        for i in (1, 2, 3)
    },
    **{
        f"ood{i}_percent": Metric(f"OOD-{'I' * i} [%]", "categories", printed=("percent",))
        for i in (1, 2, 3)
    },
}


def metrics(
    id_scores: np.ndarray,
    ood_scores: np.ndarray,
    what: str = "scores",
    shifted: np.ndarray | None = None,
) -> dict[str, float]:
    """Every metric of scores by name, of ID images (n,), OOD (m,) and covariate-shifted ID (k,).

    Raises:
        PenumbraError: a set is empty or holds NaN.
    """
    plain = Compared(id_scores, ood_scores, what)
    full = plain
    if shifted is not None:
        full = Compared(np.concatenate([id_scores, shifted]), ood_scores, what)
    return {
        name: metric.of(full if metric.is_full else plain)
        for name, metric in METRICS.items()
        if metric.of is not None
    }
