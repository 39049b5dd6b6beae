"""Random crops of encoded images at their own size, as torchvision makes them of PIL images."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from penumbra.images.augment import RATIO, TRIES
from penumbra.images.square import BILINEAR

Box = tuple[int, int, int, int]  # left, top, right, bottom
DRAWS = 2 * TRIES + 3  # numbers that any crop of one image takes: areas, ratios, place, flip


class Drawn(NamedTuple):
    """The draws of one image, uniform in [0, 1): `areas` and `ratios` (TRIES,)."""

    areas: np.ndarray
    ratios: np.ndarray
    top: float
    left: float
    flip: float

    @classmethod
    def of(cls, draws: np.ndarray) -> "Drawn":
        """The draws (DRAWS,) by what they are for."""
        return cls(draws[:TRIES], draws[TRIES : 2 * TRIES], *map(float, draws[2 * TRIES :]))


def box(size: tuple[int, int], scale: tuple[float, float], drawn: Drawn) -> Box:
    """Left, top, right and bottom of a random resized crop of an image of `size`, (W, H).

    As Szegedy et al. (2015) and torchvision: the share of the area is uniform in `scale`, the
    logarithm of the ratio uniform; the first of the tries that fits is taken. Where none does, it
    is the centre, as large as the bounds of the ratio let it be.
    """
    width, height = size
    for area, ratio in zip(drawn.areas, drawn.ratios, strict=True):
        share = (scale[0] + (scale[1] - scale[0]) * float(area)) * width * height
        stretch = RATIO ** (2 * float(ratio) - 1)
        w, h = round(math.sqrt(share * stretch)), round(math.sqrt(share / stretch))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(drawn.top * (height - h + 1)), int(drawn.left * (width - w + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * RATIO)), min(height, round(width * RATIO))
    top, left = (height - h) // 2, (width - w) // 2
    return left, top, left + w, top + h


def resized(image: Image.Image, corners: Box, size: int) -> Image.Image:
    """A box of an image brought to (size, size), bilinear and antialiased.

    Nothing from outside the box is seen.
    """
    return image.crop(corners).resize((size, size), BILINEAR)


def padded(image: Image.Image, padding: int, drawn: Drawn) -> Image.Image:
    """A window of the image's own size, of it with so many black pixels around."""
    top, left = (int(place * (2 * padding + 1)) - padding for place in (drawn.top, drawn.left))
    return image.crop((left, top, left + image.width, top + image.height))


def mirrored(image: Image.Image) -> Image.Image:
    """An image with left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
