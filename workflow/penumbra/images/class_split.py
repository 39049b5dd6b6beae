"""Classes of one data set drawn for ID and OOD, as Yang et al. (2025) make adjacent OOD images.

Which classes they drew is not published; here it depends on the data set's name, the share, the
number of the draw and the names of the classes alone, so that all image sets of one benchmark
agree.
"""

from collections.abc import Collection

import numpy as np

from penumbra.errors import PenumbraError
from penumbra.options.class_split import ClassSplit
from penumbra.seeds import derive


def count_out(classes: int, share: float) -> int:
    """How many of so many classes are held out: 2 of 7, 49 of 196 and 25 of 101 at a quarter."""
    return round(share * classes)


def kept(classes: Collection[str], split: ClassSplit, dataset: str, where: str) -> list[str]:
    """The classes on the side of an image set, in the order that they have.

    Raises:
        PenumbraError: one of the sides has no class.
    """
    out = count_out(len(classes), split.share)
    if not 0 < out < len(classes):
        raise PenumbraError(
            f"{where}.class_split: of {len(classes)} classes a share of {split.share:g} holds out "
            f"{out}; choose one that leaves classes on both sides"
        )
    order = np.random.default_rng(derive("class split", dataset, split.draw))
    drawn = {sorted(classes)[i] for i in order.permutation(len(classes))[:out]}
    return [name for name in classes if (name in drawn) == (split.side == "ood")]
