"""What the files of a data set list, before anything is decoded."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penumbra.images.cuts import Cut
from penumbra.images.encoded import Encoded
from penumbra.images.names import readable

# A file, uint8 (H, W) or (H, W, 3), a row of a Parquet file, or a box of a picture.
Stored = Path | np.ndarray | Encoded | Cut
SPLITS = ("split", "splits", "subset", "partition", "fold", "set")  # such columns are not read
Rows = Sequence[tuple[str, Stored, int]]  # origin, image, label


class Listed(NamedTuple):
    """Images as they lie, the names of their classes by label, and in words what was left out.

    `is_whole` is false where folders of classes that were not asked for were not looked into.
    `notes` tell what was passed over and may have been meant.
    """

    rows: Rows
    classes: list[str]
    more: str = ""
    is_whole: bool = True
    notes: Sequence[str] = ()


def columns_not_read(names: Sequence[str]) -> list[str]:
    """What is to be told of columns that nobody reads: that splits are not among what is read.

    Nothing of an index, which pandas writes without a name, or as `__index_level_0__`.
    """
    names = [name for name in names if name.strip() and not name.startswith("__index_level_")]
    if not names:
        return []
    named = ", ".join(readable(name) for name in names)
    is_split = any(name.strip().lower() in SPLITS for name in names)
    mend = "; list each split's images in a file of its own" if is_split else ""
    return [f"columns not read: {named}{mend}"]
