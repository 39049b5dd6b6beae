"""Categories of outliers by what a judge recognises in them (badood, section 4.3 and Table 3)."""

import numpy as np

COVARIATE, SEMANTIC, SEVERE = 1, 2, 3  # OOD-I, OOD-II, OOD-III


def categories(probabilities: np.ndarray, anchors: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) of 1, 2, 3 from class probabilities (N, C) and the anchors' places in them (N,).

    OOD-III where no class reaches the threshold, OOD-I where the likeliest class is the anchor's,
    OOD-II where it is another. An anchor's class that is not among the C has place -1. The paper
    says only that CLIP decides; the threshold is a reading.
    """
    likeliest = probabilities.argmax(1)
    kinds = np.where(likeliest == anchors, COVARIATE, SEMANTIC)
    return np.where(probabilities.max(1) < threshold, SEVERE, kinds)
