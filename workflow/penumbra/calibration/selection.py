"""The filter: which outliers are kept for training, by their calibrated q = P(ID).

Bad-OOD keeps 0.3 ≤ q ≤ 0.5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from penumbra.calibration.draws import draws
from penumbra.errors import PenumbraError
from penumbra.options.filter import REPORTED_SHARE, Filter

USUAL_SHARE = (0.2, 0.95)
HISTOGRAM_BINS = 20


@dataclass(frozen=True)
class Selection:
    """`kept` (N,) bool; `note`, what a reader of the result must know; `histogram` of q."""

    kept: np.ndarray
    note: str | None
    histogram: list[dict[str, Any]]


def histogram(q: np.ndarray) -> list[dict[str, Any]]:
    """Rows low, high, count of 20 bins over [0, 1], low ≤ q < high, the last up to 1."""
    counts, edges = np.histogram(q, HISTOGRAM_BINS, (0, 1))
    return [
        {"low": float(low), "high": float(high), "count": int(count)}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def select(keys: Sequence[object], q: np.ndarray | None, options: Filter, seed: int) -> Selection:
    """Filter the outliers `keys` (N,) by q (N,), which the mode `random` does without.

    Draws belong to keys: the order of the outliers does not matter.

    Raises:
        PenumbraError: no outliers, q that are no probabilities, keys that are not unique, more
            asked for than there are, or next to none in the band.
    """
    if not len(keys):
        raise PenumbraError("filter: there are no outliers")
    if options.mode == "random":
        kept = _random(keys, options, seed)
        return Selection(kept, None, [] if q is None else histogram(_checked(keys, q)))
    if q is None:
        raise PenumbraError(f"filter: mode {options.mode} goes by q; name judges, or mode random")
    q = _checked(keys, q)
    kept, note = _band(q, options) if options.mode == "band" else _quantile(keys, q, options, seed)
    return Selection(kept, note, histogram(q))


def _checked(keys: Sequence[object], q: np.ndarray) -> np.ndarray:
    if q.shape != (len(keys),):
        raise PenumbraError(f"filter: {q.shape} scores of {len(keys)} outliers")
    bad = np.flatnonzero(~((q >= 0) & (q <= 1)))
    if len(bad):
        raise PenumbraError(
            f"filter: {len(bad)} of {len(q)} outliers have a q outside [0, 1], the first "
            f"{keys[bad[0]]!r} ({q[bad[0]]})"
        )
    return q


def _random(keys: Sequence[object], options: Filter, seed: int) -> np.ndarray:
    count = _share(options.keep, len(keys)) if options.count is None else options.count
    if not 0 < count <= len(keys):
        raise PenumbraError(f"filter: {count} of {len(keys)} outliers asked for")
    kept = np.zeros(len(keys), dtype=bool)
    kept[np.argsort(draws(keys, seed, "random"))[:count]] = True
    return kept


def _share(keep: float, total: int) -> int:
    return max(1, round(keep * total))


def _band(q: np.ndarray, options: Filter) -> tuple[np.ndarray, str | None]:
    kept = (q >= options.low) & (q <= options.high)
    share = kept.mean()
    held = (
        f"{kept.sum()} of {len(q)} outliers ({share:.1%}) lie in "
        f"{options.low:g} ≤ q ≤ {options.high:g}"
    )
    if share < options.least:
        raise _empty(held, q, options)
    if USUAL_SHARE[0] <= share <= USUAL_SHARE[1]:
        return kept, None
    return kept, f"{held}; the paper kept {REPORTED_SHARE:.0%}"


def _quantile(
    keys: Sequence[object], q: np.ndarray, options: Filter, seed: int
) -> tuple[np.ndarray, str]:
    """The middle of the order by q; among equal q, as a step function has, the draw decides."""
    order = np.lexsort((draws(keys, seed, "tie"), q))
    count = _share(options.keep, len(q))
    first = (len(q) - count) // 2
    kept = np.zeros(len(q), dtype=bool)
    kept[order[first : first + count]] = True
    low, high = q[kept].min(), q[kept].max()
    note = f"kept the central {options.keep:.0%} in the order of q, {low:.3g} ≤ q ≤ {high:.3g}"
    tied = int(np.isin(q[~kept], q[kept]).sum())
    return kept, note + (f"; {tied} outliers of equal q were left out by lot" if tied else "")


def _empty(held: str, q: np.ndarray, options: Filter) -> PenumbraError:
    counts = ", ".join(
        f"{row['low']:.2f}–{row['high']:.2f}: {row['count']}"
        for row in histogram(q)
        if row["count"]
    )
    return PenumbraError(
        f"filter: {held}, less than the share {options.least:g}. q has minimum {q.min():.3g}, "
        f"median {np.median(q):.3g}, maximum {q.max():.3g}; histogram: {counts}. A detector calls "
        "the outliers of its own training OOD. Ways out: judges of folds, which did not train on "
        "what they score; a recipe of its own with a filter of mode quantile; the calibration's "
        "prior uniform, or its input sigmoid_phi"
    )
