"""Cross-fitting: every outlier is judged by a detector that was not trained on it.

A detector calls the outliers of its own training OOD, all of them, so that no middle is left.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from penumbra.calibration.draws import draws
from penumbra.errors import PenumbraError


def fold_of(keys: Sequence[object], folds: int) -> np.ndarray:
    """The fold in [0, folds) of each outlier, from its key alone: (N,) -> (N,) int64.

    Raises:
        PenumbraError: fewer than two folds, or keys that are not unique.
    """
    if folds < 2:
        raise PenumbraError(f"cross-fitting in {folds} folds; at least 2 are needed")
    return draws(keys, "fold") % folds


def judged(
    scored: Iterable[tuple[str, tuple[int, int] | None, Sequence[str], np.ndarray]],
) -> tuple[list[str], np.ndarray]:
    """Names (N,) of all outliers and q (N,), each by the judge that did not train on its fold.

    Each judge gives its name, the fold (i, k) that it left out (None: it may judge all), and q (N,)
    of all outliers by name.

    Raises:
        PenumbraError: an outlier without judge or with more than one, or of another set.
    """
    every: list[str] = []
    shares: dict[str, tuple[list[str], np.ndarray]] = {}
    for judge, fold, names, q in scored:
        every = every or list(names)
        own = np.ones(len(names), bool) if fold is None else fold_of(names, fold[1]) == fold[0]
        shares[judge] = ([n for n, mine in zip(names, own, strict=True) if mine], q[own])
    return every, join(every, shares)


def join(
    keys: Sequence[object], judged: Mapping[str, tuple[Sequence[object], np.ndarray]]
) -> np.ndarray:
    """q of the outliers `keys` (N,) from their judges' shares {judge: (keys (M,), q (M,))}: (N,).

    Raises:
        PenumbraError: an outlier that no judge or more than one scored, or that is not in `keys`.
    """
    rows = {key: row for row, key in enumerate(keys)}
    q = np.empty(len(rows))
    judge_of: dict[object, str] = {}
    for judge, (names, values) in judged.items():
        if len(names) != len(values):
            raise PenumbraError(f"judge {judge}: {len(values)} scores of {len(names)} outliers")
        for key, value in zip(names, values, strict=True):
            if key not in rows:
                raise PenumbraError(f"judge {judge} scored {key!r}, no outlier of this set")
            if key in judge_of:
                raise PenumbraError(
                    f"outlier {key!r} was scored by judges {judge_of[key]} and {judge}; each "
                    "judge scores the fold that it was not trained on"
                )
            judge_of[key] = judge
            q[rows[key]] = value
    missing = [key for key in rows if key not in judge_of]
    if missing:
        raise PenumbraError(
            f"{len(missing)} of {len(rows)} outliers were scored by no judge, e.g. {missing[0]!r}; "
            f"name a judge for every fold (judges: {', '.join(judged) or 'none'})"
        )
    return q
