"""What a number in a table may be, and how well one score separates ID from OOD images.

Larger scores mean more ID. The papers' protocol is FN's, from the Outlier-Exposure code: ID is the
positive class, AUPR is average precision, and FPR95 takes the threshold whose ID recall is nearest
to 0.95.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from penumbra.evaluation import conformal
from penumbra.evaluation.compared import Compared, Counts

RECALL = 0.95
PERCENT = "%"


def _auroc(of: Compared) -> Any:
    true, false = of.accepted
    zero = np.zeros_like(true[..., :1])
    x = np.concatenate([zero, false], -1) / false[..., -1:]
    y = np.concatenate([zero, true], -1) / true[..., -1:]
    return np.trapezoid(y, x, axis=-1)


def _average_precision(counts: Counts) -> np.ndarray:
    true, false = counts
    steps = np.diff(np.concatenate([np.zeros_like(true[..., :1]), true], -1), axis=-1)
    steps = steps / true[..., -1:]
    # Where nothing drawn is accepted yet, nothing is precise or not.
    return (steps * true / np.maximum(true + false, 1)).sum(-1)


def _fpr_nearest(of: Compared) -> np.ndarray:
    """FPR where recall is nearest to 0.95; of equal recalls the lowest threshold counts.

    Thresholds past the first full recall are dropped; among equally near ones FN takes the
    lowest threshold, i.e. the largest FPR.
    """
    true, false = of.accepted
    whole = true[..., -1:]
    distance = np.abs(true / whole - RECALL)
    past = np.arange(true.shape[-1]) > np.argmax(true == whole, -1)[..., None]
    # FN walks from the lowest threshold up and keeps the first minimum.
    nearest = true.shape[-1] - 1 - np.argmin(np.where(past, np.inf, distance)[..., ::-1], -1)
    return _at(false / false[..., -1:], nearest)


def _fpr_first(of: Compared) -> np.ndarray:
    true, false = of.flagged
    return _at(false / false[..., -1:], np.argmax(true / true[..., -1:] >= RECALL, -1))


def _at(rates: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The rate at one threshold, of each resample."""
    return np.take_along_axis(rates, places[..., None], -1)[..., 0]


def _norm_ratio(of: Compared) -> np.ndarray:
    """No number where scores are infinite, or their mean is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(*of.means)


@dataclass(frozen=True)
class Metric:
    """What a table calls a number, how it prints and ranks it, and where the number is from.

    `artifact` is the kind of artifact that holds it (`planning/paths.py`). `form` is PERCENT for a
    share in [0, 1], else a format of Python. `better` is the side that ranks first, or empty for a
    number that is neither good nor bad. `printed` is what the papers' transcribed tables call it.
    `of` computes it from scores, along the last axis, where the artifact is `metrics`; `is_full`
    adds covariate-shifted ID images to the ID side (full spectrum, OpenOOD v1.5). `bounds` are its
    conformal ones, of ID scores (n,) and OOD scores (m,), where it has any.
    """

    head: str
    artifact: str
    better: Literal["high", "low", ""] = ""
    form: str = PERCENT
    printed: tuple[str, ...] = ()
    of: Callable[[Compared], np.ndarray] | None = None
    is_full: bool = False
    bounds: Callable[[np.ndarray, np.ndarray], conformal.Bounds] | None = None

    @property
    def is_of_scores(self) -> bool:
        """Whether it is computed from scores, and so has resamples and an interval."""
        return self.of is not None

    @property
    def title(self) -> str:
        """The head of its column: an arrow shows which side is better."""
        return f"{self.head} {ARROWS[self.better]}".strip()


ARROWS = {"high": "↑", "low": "↓", "": ""}
FULL = "full spectrum"

# One entry a metric; those of scores stand in the order of the columns of `metrics` artifacts.
METRICS: dict[str, Metric] = {
    "auroc": Metric(
        "AUROC", "metrics", "high", PERCENT, ("auroc",), _auroc, bounds=conformal.auroc
    ),
    # The papers do not say which side of their AUPR is positive.
    "aupr_id": Metric(
        *("AUPR-ID", "metrics", "high", PERCENT, ("aupr",)),
        of=lambda scores: _average_precision(scores.accepted),
    ),
    "aupr_ood": Metric(
        *("AUPR-OOD", "metrics", "high", PERCENT, ("aupr",)),
        of=lambda scores: _average_precision(scores.flagged),
    ),
    "fpr95": Metric(
        *("FPR95", "metrics", "low", PERCENT, ("fpr95",), _fpr_nearest),
        bounds=functools.partial(conformal.fpr, recall=RECALL),
    ),
    # OpenOOD's convention: the ID share flagged when 95 % of OOD is caught.
    "fpr95_ood_positive": Metric(
        *("FPR95 (OOD positive)", "metrics", "low"),
        of=_fpr_first,
        bounds=functools.partial(conformal.fpr_ood_positive, recall=RECALL),
    ),
    "full_fpr95": Metric(
        f"FPR95, {FULL}", "metrics", "low", PERCENT, ("fpr95",), _fpr_nearest, is_full=True
    ),
    "full_auroc": Metric(
        f"AUROC, {FULL}", "metrics", "high", PERCENT, ("auroc",), _auroc, is_full=True
    ),
    "norm_id": Metric("ID norm", "metrics", "", ".3f", ("norm_id",), lambda of: of.means[0]),
    "norm_ood": Metric("OOD norm", "metrics", "", ".3f", ("norm_ood",), lambda of: of.means[1]),
    "norm_ratio": Metric("Norm ratio", "metrics", "high", ".3f", ("norm_ratio",), _norm_ratio),
    "train_accuracy": Metric("Train accuracy", "accuracy"),
    "heldout_accuracy": Metric("Held-out accuracy", "accuracy", "high"),
    "test_accuracy": Metric("Test accuracy", "accuracy", "high", printed=("test_acc", "id_acc")),
    "shifted_accuracy": Metric("Shifted accuracy", "accuracy", "high", printed=("id_acc",)),
    "test_matched_accuracy": Metric("Test accuracy, known classes", "accuracy", "high"),
    "shifted_matched_accuracy": Metric("Shifted accuracy, known classes", "accuracy", "high"),
    "alignment": Metric("cos(z, W_y)", "theory", form=".3f"),
    "within_variance": Metric("Variance within classes", "theory", form=".3f"),
    "mean_distance": Metric("Distance of class means", "theory", form=".3f"),
    "intra_inter": Metric("Intra / inter", "theory", form=".3f"),
    "weight_cosine": Metric("cos(W_k, W_j)", "theory", form=".3f"),
    "weight_spread": Metric("Spread of class weights' norms", "theory"),
    "bias_difference": Metric("Largest difference of biases", "theory", form=".3f"),
    "running_accuracy": Metric("Train accuracy, running", "history", printed=("train_acc",)),
    "train_seconds": Metric("Training [s]", "training-run", "low", ".1f", ("seconds",)),
    "latency": Metric("Latency [s/image]", "latency", "low", ".6f", ("seconds",)),
    "kept_count": Metric("Outliers kept", "selections", form=".1f"),
    "kept_share": Metric("Kept [%]", "selections"),
    "features_seconds": Metric("Features [s/100 images]", "outliers", "low", ".2f"),
    "guidance_seconds": Metric("Guidance [s/100 images]", "outliers", "low", ".2f"),
    "images_seconds": Metric("Images [s/100 images]", "outliers", "low", ".2f"),
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
    return {name: float(value) for name, value in measured(plain, full).items()}


def bounds(id_scores: np.ndarray, ood_scores: np.ndarray) -> dict[str, float]:
    """Both conformal bounds of the metrics that have any, under their names in `bound_names`."""
    ends_by_name: dict[str, float] = {}
    for name, metric in METRICS.items():
        if metric.bounds is not None:
            ends = metric.bounds(id_scores, ood_scores)
            ends_by_name |= dict(zip(bound_names(name), ends, strict=True))
    return ends_by_name


def bound_names(metric: str) -> tuple[str, str]:
    """What `metrics` artifacts call the conformal bounds of a metric."""
    return f"{metric}_conformal_low", f"{metric}_conformal_high"


def measured(plain: Compared, full: Compared) -> dict[str, np.ndarray]:
    """Every metric of scores by name; `full` has covariate-shifted images on its ID side, too."""
    of_scores = {name: (m.of, m.is_full) for name, m in METRICS.items() if m.of is not None}
    if full is plain:
        once = {of: of(plain) for of, _ in of_scores.values()}
        return {name: once[of] for name, (of, _) in of_scores.items()}
    return {name: of(full if is_full else plain) for name, (of, is_full) in of_scores.items()}
