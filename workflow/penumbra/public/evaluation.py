"""Metrics of scores that a user has, with their intervals: the numbers of the workflow's tables."""

import math
import statistics
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from penumbra.errors import PenumbraError
from penumbra.evaluation import intervals
from penumbra.evaluation.detection import Row, detection
from penumbra.evaluation.metrics import METRICS, PERCENT, bound_names
from penumbra.public.names import by_name
from penumbra.public.numbers import WHOLE, numbers

MEAN = "mean"  # the row over all image sets
ONE = "OOD"  # what a single array of OOD scores is called
EXACT = 2.0**53  # up to here a float64 has every whole number


def evaluate(
    id_scores: ArrayLike,
    ood_scores: ArrayLike | Mapping[str, ArrayLike],
    *,
    confidence: float = 0.95,
    shifted: ArrayLike | Mapping[str, ArrayLike] | None = None,
    name: str = "ID",
) -> pd.DataFrame:
    """How well scores tell ID test images from OOD images: one row an OOD image set.

    Larger scores mean more ID. Each metric of scores has three columns: `auroc`, `auroc_low`,
    `auroc_high`, the ends of its interval over test images, which are drawn again 100 times within
    each image set; then the conformal bounds of those that have any (docs/uncertainty.md). AUROC,
    AUPR and FPR95 are shares in [0, 1], `norm_*` have the unit of the scores. NaN: not defined for
    these scores.

    Args:
        id_scores: (n,) finite numbers, of ID test images.
        ood_scores: (m,) of OOD images, or such arrays by the name of their image set. Of several
            sets the last row, `mean`, is their mean; its interval sees the same ID images drawn.
        confidence: the level of the intervals, in (0, 1).
        shifted: (k,) of covariate-shifted ID images, or such arrays by name; they add the metrics
            `full_auroc` and `full_fpr95`, which count them as ID.
        name: of the ID image set. The draws hang on the names of the sets and their sizes, so that
            scorers of the same images see the same ones, here and in the workflow.

    Raises:
        PenumbraError: scores that are not (n,) finite numbers, or none; image sets of one name; a
            level outside (0, 1).
    """
    check_confidence(confidence)
    sets = {"test": by_name({name: id_scores}, "name")}
    sets["shifted"] = named(shifted, "shifted", "shifted")
    sets["ood"] = named(ood_scores, ONE, "ood_scores")
    if not sets["ood"]:
        raise PenumbraError("ood_scores names no image set; give one array or more")
    roles = {each: role for role, given in sets.items() for each in given}
    if len(roles) < sum(map(len, sets.values())) or MEAN in roles:
        raise PenumbraError(
            f"image sets are called {', '.join(map(repr, (n for s in sets.values() for n in s)))}; "
            f"each has a name of its own, and {MEAN!r} is that of the row over all"
        )
    scores = {k: checked(v, f"scores of {k}") for given in sets.values() for k, v in given.items()}
    rows = list(detection("scores", scores, roles))
    metrics = [key for key, m in METRICS.items() if m.of and (sets["shifted"] or not m.is_full)]
    listed = [_row([pair], metrics, confidence) for pair in rows]
    if len(rows) > 1:
        listed.append(_row(rows, metrics, confidence) | {"image_set": MEAN})
    return pd.DataFrame(listed).set_index("image_set")


def named(given: Any, alone: str, what: str) -> dict[str, Any]:
    """What is given by name, an array alone under the name `alone`; nothing for None.

    Raises:
        PenumbraError: as `by_name`.
    """
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return by_name(given, what)
    return {alone: given}


def checked(given: Any, what: str) -> np.ndarray:
    """Scores (n,) as float64.

    Raises:
        PenumbraError: they are none, of another shape, no numbers, or not finite.
    """
    values = numbers(given, what)
    if values.ndim != 1:
        raise PenumbraError(f"{what}: of shape {values.shape}; give one number an image, (n,)")
    if not len(values):
        raise PenumbraError(f"{what}: there are none; an image set has one image or more")
    with np.errstate(over="ignore"):  # of longer floats, told below
        exact = values.astype(np.float64)
    if values.dtype.kind in WHOLE and (np.abs(exact) > EXACT).any():
        raise PenumbraError(
            f"{what}: whole numbers beyond 2^53, of which some cannot be told apart; give smaller "
            "ones, as their ranks"
        )
    bad = ~np.isfinite(exact)
    if bad.any():
        raise PenumbraError(
            f"{what}: {int(bad.sum())} of {len(values)} are NaN or infinite, the first at image "
            f"{int(bad.argmax())}; mend the scorer, or leave such images out"
        )
    return exact


def ends(metric: str, value: float, draws: np.ndarray, confidence: float) -> tuple[float, float]:
    """The interval of one number, as a table of one seed has it; `draws` (DRAWS,) float64.

    NaN twice where the number or a draw is not finite.
    """
    sample = intervals.Sample(np.array([value]), draws[None])
    between = intervals.ends(sample, confidence, METRICS[metric].form == PERCENT)
    return between or (math.nan, math.nan)


def check_confidence(confidence: float) -> None:
    """Refuse what is no level of intervals.

    Raises:
        PenumbraError: it is no number between 0 and 1.
    """
    if not isinstance(confidence, Real) or not 0 < confidence < 1:
        told = confidence if isinstance(confidence, Real) else repr(confidence)
        raise PenumbraError(f"confidence is {told}; it lies between 0 and 1, as 0.95 does")


def _row(pairs: list[tuple[Row, Row]], metrics: list[str], confidence: float) -> dict[str, Any]:
    """One or more image sets as one row: mean, interval of the mean, mean bounds."""
    rows = [row for row, _ in pairs]
    made = {"image_set": rows[0]["image_set"], "n_id": rows[0]["n_id"]}
    made["n_ood"] = sum(row["n_ood"] for row in rows)
    for metric in metrics:
        value = statistics.fmean(row[metric] for row in rows)
        # Kept as float32, as in artifacts, from which tables are made.
        drawn = np.stack([draws[metric] for _, draws in pairs]).astype(np.float32)
        made[metric] = value
        low, high = ends(metric, value, drawn.mean(0, dtype=np.float64), confidence)
        made |= {f"{metric}_low": low, f"{metric}_high": high}
    for metric in metrics:
        if METRICS[metric].bounds is not None:
            for bound in bound_names(metric):
                made[bound] = statistics.fmean(row[bound] for row in rows)
    return made
