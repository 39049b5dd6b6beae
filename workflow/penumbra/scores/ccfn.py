"""Channel-calibrated feature norm (UAT paper, Eq. 4 and 5; the variants of Table 13)."""

import numpy as np

NEEDS = {
    "calibration": {
        "max": ("l2", "max"),
        "none": ("l2",),
        "l2": ("l2",),
        "var": ("l2", "var"),
        "mean": ("l2", "mean"),
        "min": ("l2", "min"),
    }
}


def score(arrays: dict[str, np.ndarray], calibration: str = "max") -> np.ndarray:
    """mean_c w_c · ‖ReLU(f_c)‖₂ with w_c a statistic of ReLU(f_c) over positions: (N, C) -> (N,).

    The paper's score takes w_c = max; `none` gives FN. Appendix A.10 speaks of squared norms,
    Eq. 5 has none; Eq. 5 is followed.
    """
    norm = arrays["l2"].astype(np.float64)
    weight = 1.0 if calibration == "none" else arrays[calibration].astype(np.float64)
    return (weight * norm).mean(1)
