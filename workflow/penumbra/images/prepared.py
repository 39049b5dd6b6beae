"""How an image from anywhere becomes the pixels that an image set's reader would make of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from penumbra.images.contrast import grid_of, render
from penumbra.images.square import DEFAULT, SQUARES, pixels

GRID = "grid"  # of the data sets that ship with dependencies: 8×8 greys of one mean and contrast
WAYS = (*SQUARES, GRID)


def way_of(dataset: Mapping[str, Any]) -> str:
    """How the images of a data set of the catalogue are prepared: one of WAYS."""
    return str(dataset.get("square", DEFAULT)) if dataset["reader"] == "stored" else GRID


def prepared(image: Image.Image, way: str, size: int) -> np.ndarray:
    """An 8-bit RGB image of any shape: uint8 (3, size, size).

    Raises:
        ValueError: the image is too long for its breadth (see `square.crop`).
    """
    if way == GRID:
        return render(grid_of(image), size)
    return pixels(image, way, size)
