"""Which images of a split an image set uses: classes, a share of each, at most so many."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.images.class_split import kept
from penumbra.images.classes import choose
from penumbra.images.entries import NO_LABEL, Entries
from penumbra.options.class_split import ClassSplit
from penumbra.seeds import derive


def select(entries: Entries, spec: dict[str, Any]) -> Entries:
    """Apply `classes`, `class_split`, `share`, `thin` and `limit` of `spec`, in this order.

    Every draw within a class depends on the data set, the split and the class alone, so image sets
    with the shares [0, 0.9] and [0.9, 1] are disjoint and complete, whatever their classes and
    thinning. Unlabelled sets lose their labels last: draws stay balanced over their classes.

    Raises:
        PenumbraError: a class is unknown, or no image of one is left.
    """
    where = f"image set {spec['name']}"
    if spec["classes"] is not None:
        file = spec.get("classes_file")
        listed = f"{where}, config/classes/{file}.txt" if file else where
        entries = choose(entries, spec["classes"], listed)
    if spec.get("class_split") is not None:
        split = ClassSplit.of(spec["class_split"])
        side = kept(entries.classes, split, spec["dataset_name"], f"image_sets.{spec['name']}")
        entries = choose(entries, side, where)
    share, thin = spec.get("share"), spec.get("thin")
    if share is not None or thin is not None:
        entries = _slice(entries, spec, share or (0, 1), thin or 0)
    if spec["limit"] is not None and spec["limit"] < len(entries):
        entries = entries.at(_balanced(entries.labels(), spec["limit"], spec["name"]))
    return entries if spec["dataset"]["labelled"] else entries.unlabelled()


def _slice(entries: Entries, spec: dict[str, Any], share: tuple, thin: int) -> Entries:
    """Of each class the part between the bounds of `share`, less U{0, …, thin}, but never all."""
    name, (low, high) = spec["name"], share
    if not 0 <= low < high <= 1:
        raise PenumbraError(f"image_sets.{name}.share: [{low}, {high}] is no part of [0, 1]")
    kept = []
    for label, members in _by_class(entries.labels()):
        # A set that is not labelled may have labels for balance, and no names.
        named = label < len(entries.classes)
        cls = "" if label == NO_LABEL else entries.classes[label] if named else str(label)
        key = (spec["dataset_name"], spec["split"], cls)
        chosen = _share(len(members), low, high, derive("share", *key))
        if not chosen.any():
            raise PenumbraError(
                f"image set {name}: none of the {len(members)} images of class {cls!r} is left by "
                f"share [{low}, {high}]; widen image_sets.{name}.share, or leave the class out of "
                f"image_sets.{name}.classes"
            )
        chosen[chosen] = _thinned(int(chosen.sum()), thin, derive("thin", *key))
        kept.append(members[chosen])
    return entries.at(np.sort(np.concatenate(kept))) if kept else entries


def _by_class(labels: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each label with the places that hold it, ascending."""
    for label in np.unique(labels):
        yield int(label), np.flatnonzero(labels == label)


def _share(n: int, low: float, high: float, seed: int) -> np.ndarray:
    chosen = np.zeros(n, dtype=bool)
    order = np.random.default_rng(seed).permutation(n)
    chosen[order[round(low * n) : round(high * n)]] = True
    return chosen


def _thinned(n: int, thin: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    removed = rng.integers(0, min(thin, n - 1) + 1)
    chosen = np.ones(n, dtype=bool)
    chosen[rng.permutation(n)[:removed]] = False
    return chosen


def _balanced(labels: np.ndarray, limit: int, name: str) -> np.ndarray:
    """`limit` places, equally many of each class, drawn by the image set's name; ascending."""
    order = np.random.default_rng(derive("limit", name)).permutation(len(labels))
    rank = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        rank[members] = np.arange(len(members))
    return np.sort(np.lexsort((order, rank))[:limit])
