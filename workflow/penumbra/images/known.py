"""Images under a model: its classes are matched by name, and what it never saw has no label."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.images.entries import NO_LABEL
from penumbra.images.image_set import ImageSet
from penumbra.images.names import quoted


def check_known(
    given: Mapping[str, Sequence[str]], classes: Sequence[str], train: str, own: Collection[str]
) -> None:
    """Refuse ID image sets, with the classes `given` by name, that a model cannot be tested on.

    `classes` are those of the image set `train` that it was trained on; `own` are the sets that
    hold no others, as those of the very benchmark it was trained on.

    Raises:
        PenumbraError: a set has none of the model's classes, or one of `own` has a class beside.
    """
    for name, theirs in given.items():
        _check_any(name, theirs, classes)
        strange = [c for c in theirs if c not in classes]
        if strange and name in own:
            raise PenumbraError(
                f"image set {name}: its classes {quoted(strange)} are not among those that the "
                f"model was trained on, {quoted(classes)} (image set {train}); keep "
                f"those by image_sets.{name}.classes, or where all are meant, read them in a "
                "benchmark with `models_of`"
            )


def relabelled(images: ImageSet, classes: list[str], name: str) -> ImageSet:
    """Images with their labels as places in `classes`; -1 stands for a class that is not there.

    Raises:
        PenumbraError: none of the classes of the set `name` is known.
    """
    if images.classes == classes:
        return images
    _check_any(name, images.classes, classes)
    indices = [classes.index(c) if c in classes else NO_LABEL for c in images.classes]
    places = np.array([*indices, NO_LABEL])  # an image without a label, -1, keeps none
    return dataclasses.replace(images, labels=places[images.labels])


def _check_any(name: str, given: Sequence[str], classes: Sequence[str]) -> None:
    if given and set(given).isdisjoint(classes):
        raise PenumbraError(
            f"image set {name}: none of its classes {quoted(given)} is among those that the model "
            f"was trained on, {quoted(classes)}; classes are matched by name, so give both data "
            "sets the same names (a Parquet file states them in its metadata `classes`, a folder "
            "by its folders)"
        )
