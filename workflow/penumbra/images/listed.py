"""What the files of a data set list, before anything is decoded."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from penumbra.images.cuts import Cut
from penumbra.images.encoded import Encoded

# A file, uint8 (H, W) or (H, W, 3), a row of a Parquet file, or a box of a picture.
Stored = Path | np.ndarray | Encoded | Cut
Rows = Sequence[tuple[str, Stored, int]]  # origin, image, label


class Listed(NamedTuple):
    """Images as they lie, the names of their classes by label, and in words what was left out.

    `is_whole` is false where folders of classes that were not asked for were not looked into.
    """

    rows: Rows
    classes: list[str]
    more: str = ""
    is_whole: bool = True
