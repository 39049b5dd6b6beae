"""Scores of logits and features that a user has: every scorer of arrays, without a network."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from penumbra.errors import PenumbraError
from penumbra.evaluation.scoring import one_per_image, refuse_infinite
from penumbra.images.balanced import balanced
from penumbra.planning import needs
from penumbra.plugins import load
from penumbra.public.entries import entries_of
from penumbra.public.images import Arrays, Images, agree, images
from penumbra.public.images import head as checked_head
from penumbra.public.names import by_name
from penumbra.store.artifacts import dumps

TEST = "test"  # the name of the ID test images beside those of the OOD sets
WORDS = {"train": "training", "heldout": "held-out"}
Given = Mapping[str, ArrayLike]


class ArrayScores(NamedTuple):
    """Scores (N,) by scorer and image set, `test` first; and why other scorers are left out."""

    scores: dict[str, dict[str, np.ndarray]]
    left_out: dict[str, str]


def score_arrays(
    train: Given | None,
    test: Given,
    ood: Mapping[str, Given],
    scorers: Iterable[str] | Mapping[str, Mapping[str, Any]] | None = None,
    head: Given | None = None,
    *,
    heldout: Given | None = None,
) -> ArrayScores:
    """Scores of ID test and OOD images by scorers that read a model's logits and features.

    Each set is a mapping of arrays: `logits` (N, C), `features` (N, D), which the last layer reads,
    and for those that are fitted on `labels` (N,), integers from 0 to C - 1. They are taken as
    float32, as the workflow keeps them, and give the same scores. Larger scores mean more ID.

    Args:
        train: ID training images, on which most scorers are fitted; None where there are none.
        test: ID test images.
        ood: sets of OOD images by name.
        scorers: names as in `penumbra.scorers()`; or entries by any name, as in a config: `{knn-10:
            {module: knn, options: {k: 10}, fit: {…}}}`. Without them all that these arrays suffice
            for are applied, with defaults, and the others are left out.
        head: the last layer: `weight` (C, D) and `bias` (C,), without which it is 0.
        heldout: ID images that the model was not trained on, for scorers that are fitted on such.

    Raises:
        PenumbraError: arrays that do not belong together or are not finite; a scorer that is asked
            for and unknown, without what it needs, or with options that it does not take.
    """
    entries = entries_of(scorers)
    fitted_on, tested = _sets(train, heldout, test, ood)
    last = checked_head(head)
    agree([*fitted_on.values()], tested, last)
    result = ArrayScores({}, {})
    fits: dict[str, Arrays] = {}
    for name, entry in entries.items():
        reason = _missing(entry, fitted_on, tested, last)
        if not reason:
            try:
                result.scores[name] = _applied(entry, fitted_on, tested, last, fits)
            except PenumbraError as error:
                reason = str(error).removeprefix(f"{entry['module']}: ")
        if reason and scorers is not None:
            raise PenumbraError(f"scorer {name}: {reason}")
        if reason:
            result.left_out[name] = reason
    return result


def _sets(
    train: Given | None, heldout: Given | None, test: Given, ood: Mapping[str, Given]
) -> tuple[dict[str, Images], list[Images]]:
    """Images to fit on by their role, and those that are scored."""
    ood = by_name(ood, "ood")
    if not ood or TEST in ood:
        raise PenumbraError(
            f"ood: name one set of OOD images or more, and none of them {TEST!r}, which is the ID "
            "test images"
        )
    roles = {"train": train, "heldout": heldout}
    fitted_on = {k: images(k, given, True) for k, given in roles.items() if given is not None}
    sets = {TEST: test, **ood}
    return fitted_on, [images(name, given, False) for name, given in sets.items()]


def _missing(
    entry: dict[str, Any], fitted_on: dict[str, Images], tested: list[Images], last: Arrays
) -> str:
    """What the arrays lack for a scorer; empty where they suffice."""
    read, fit_read = needs.needs(entry), needs.fit_needs(entry)
    for wanted in filter(None, (read, fit_read)):
        if needs.of_network(wanted):
            return "it reads the network itself"
        if needs.of_block(wanted):
            return "it reads statistics of a block's feature map"
    lacking = [_lacks(each, read) for each in tested]
    if fit_read:
        role = needs.fit_role(entry)
        if role not in fitted_on:
            return f"it is fitted on {WORDS[role]} images, and none are given"
        lacking.append(_lacks(fitted_on[role], fit_read))
    if "head" in (*read, *fit_read) and not last:
        lacking.append("the last layer's weight and bias (head)")
    told = "; ".join(filter(None, lacking))
    return told and f"it needs {told}"


def _lacks(of: Images, wanted: tuple[str, ...]) -> str:
    missing = of.lacks(name for name in wanted if name != "head")
    return f"{' and '.join(missing)} of {of.name}" if missing else ""


def _applied(
    entry: dict[str, Any],
    fitted_on: dict[str, Images],
    tested: list[Images],
    last: Arrays,
    fits: dict[str, Arrays],
) -> dict[str, np.ndarray]:
    """Fit, or take the fit of a scorer with the same, and score each set."""
    scorer, read = load("scores", entry["module"]), needs.needs(entry)
    fixed = dict(last) if "head" in read else {}
    if needs.fit_needs(entry):
        key = dumps([entry["module"], entry.get("fit", {})])
        if key not in fits:
            fits[key] = _fit(scorer, entry, fitted_on[needs.fit_role(entry)], last)
        fixed |= fits[key]
    names = [name for name in read if name != "head"]
    scores = {}
    for each in tested:
        arrays = {name: each.arrays[name] for name in names} | fixed
        returned = scorer.score(arrays, **entry.get("options", {}))
        scores[each.name] = one_per_image(returned, len(each), each.name)
    return scores


def _fit(scorer: Any, entry: dict[str, Any], on: Images, last: Arrays) -> Arrays:
    """What the scorer learns from ID images: of all of them, or of some of each class."""
    wanted, count = needs.fit_needs(entry), entry.get("fit", {}).get("images")
    if count is not None and "labels" not in on.arrays:
        raise PenumbraError(f"`images` chooses by class; it needs labels of {on.name}")
    arrays = {name: on.arrays[name] for name in wanted if name != "head"}
    if count is not None:
        chosen = balanced(on.arrays["labels"], count)
        arrays = {name: array[chosen] for name, array in arrays.items()}
    fitted = scorer.fit(arrays | (last if "head" in wanted else {}), **needs.fit_options(entry))
    refuse_infinite(fitted.items())
    # As they come out of the workflow's files: products of other layouts round otherwise.
    return {name: np.ascontiguousarray(array) for name, array in fitted.items()}
