"""Metrics that tables may show, by the artifact that holds them."""

from penumbra.reporting.values import CATEGORIES

OF_SCORES = ("fpr95", "auroc", "aupr_id", "aupr_ood", "fpr95_ood_positive")
OF_FULL = ("full_fpr95", "full_auroc")
OF_NORMS = ("norm_id", "norm_ood", "norm_ratio")
OF_ACCURACY = (
    *("train_accuracy", "heldout_accuracy", "test_accuracy", "shifted_accuracy"),
    *("test_matched_accuracy", "shifted_matched_accuracy"),
)
SOURCES = {
    **dict.fromkeys((*OF_SCORES, *OF_FULL, *OF_NORMS), "metrics"),
    **dict.fromkeys(OF_ACCURACY, "accuracy"),
    **dict.fromkeys(CATEGORIES, "categories"),
    "running_accuracy": "history",
    "train_seconds": "training-run",
    "latency": "latency",
    "synthesis_seconds": "outliers",
}
