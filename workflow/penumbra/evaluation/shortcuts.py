"""Whether something beside content tells outliers from ID images: colour, or missing detail.

A detector that is trained on outliers learns whatever separates them most easily. Where a decoder
leaves fringes of colour, or smooths, it learns that, and its numbers say nothing of content.
"""

import numpy as np

from penumbra.errors import PenumbraError

FOLDS = 5
SUSPECT = 0.9  # an AUROC above which detectors may learn no more than this
MEASURES = {
    "channels": "channel statistics",
    "frequency": "high frequencies",
    "both": "both",
}
HIGH = 0.25  # cycles a pixel: half of what pixels can show


def channel_statistics(pixels: np.ndarray) -> np.ndarray:
    """Images uint8 (N, 3, H, W) -> (N, 8): mean and deviation a channel, |R−G| and |G−B|."""
    x = pixels.astype(np.float64) / 255
    red, green, blue = x.swapaxes(0, 1)
    fringes = [np.abs(a - b).mean((1, 2)) for a, b in ((red, green), (green, blue))]
    return np.column_stack([x.mean((2, 3)), x.std((2, 3)), *fringes])


def high_frequency(pixels: np.ndarray) -> np.ndarray:
    """Images uint8 (N, 3, H, W) -> (N, 1): log10 of the power's share above HIGH.

    Of the mean of the channels, without its own mean; a flat image has a share of 0.
    """
    grey = pixels.astype(np.float64).mean(1)
    power = np.abs(np.fft.fft2(grey)) ** 2
    rows, columns = (np.fft.fftfreq(side) for side in grey.shape[1:])
    radius = np.hypot(rows[:, None], columns[None, :])
    power[:, 0, 0] = 0
    total = power.sum((1, 2))
    high = power[:, radius > HIGH].sum(1)
    return np.log10(np.maximum(high / np.maximum(total, 1e-12), 1e-12))[:, None]


def shortcuts(images: np.ndarray, outliers: np.ndarray, seed: int) -> dict[str, float]:
    """AUROC in [0, 1] of ID images (N, 3, H, W) against outliers (M, 3, H, W), by measure.

    A logistic regression on the standardised numbers of a measure scores images that it was not
    fitted on (cross-validation in FOLDS folds); 0.5 says that the measure tells nothing.

    Raises:
        PenumbraError: fewer images or outliers than folds.
    """
    if min(len(images), len(outliers)) < FOLDS:
        raise PenumbraError(
            f"shortcuts: {len(images)} ID images and {len(outliers)} outliers; at least {FOLDS} of "
            "each are needed: raise the outlier set's per_class, or take more training images"
        )
    both = np.concatenate([images, outliers])
    is_id = np.arange(len(both)) < len(images)
    channels, frequency = channel_statistics(both), high_frequency(both)
    measured = (channels, frequency, np.hstack([channels, frequency]))
    by_name = zip(MEASURES, measured, strict=True)
    return {name: _separated(numbers, is_id, seed) for name, numbers in by_name}


def _separated(numbers: np.ndarray, is_id: np.ndarray, seed: int) -> float:
    # Captions need the names above, and importing these takes a second.
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = cross_val_predict(model, numbers, is_id, cv=folds, method="decision_function")
    return float(roc_auc_score(is_id, scores))
