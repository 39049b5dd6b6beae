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
        "var_unbiased": ("l2", "var_unbiased"),
        "l2_whole_map": ("l2",),
        "max_squared": ("l2", "max"),
    }
}


def score(arrays: dict[str, np.ndarray], calibration: str = "max") -> np.ndarray:
    """mean_c w_c · ‖ReLU(f_c)‖₂ with w_c a statistic of ReLU(f_c) over positions: (N, C) -> (N,).

    The paper's score takes w_c = max; `none` gives FN. Other readings of the paper: `l2_whole_map`
    takes one w, the norm of all channels; `max_squared` averages the squares of the calibrated
    norms, of which Appendix A.10 speaks and Eq. 5 does not.
    """
    norm = arrays["l2"].astype(np.float64)
    if calibration == "none":
        return norm.mean(1)
    if calibration == "l2_whole_map":
        return np.sqrt((norm**2).sum(1)) * norm.mean(1)
    if calibration == "max_squared":
        return ((arrays["max"].astype(np.float64) * norm) ** 2).mean(1)
    return (arrays[calibration].astype(np.float64) * norm).mean(1)
