"""How an image of any shape becomes a square."""

import numpy as np
from PIL import Image

BILINEAR = Image.Resampling.BILINEAR  # PIL's filters are antialiased


def squash(image: Image.Image, size: int) -> Image.Image:
    """To (size, size), the aspect ignored, as Yu et al. (2023) do."""
    return image if image.size == (size, size) else image.resize((size, size), BILINEAR)


def crop(image: Image.Image, size: int) -> Image.Image:
    """The centre (size, size) of the image whose shorter side was brought to 8/7 of `size`.

    At 224 this is torchvision's Resize(256) and CenterCrop(224), bit for bit.

    Raises:
        ValueError: the image is so long that it would not fit into memory.
    """
    return _cut(image, size * 256 // 224, size)


def centre(image: Image.Image, size: int) -> Image.Image:
    """The centre (size, size) of the image whose shorter side was brought to `size`.

    torchvision's Resize(size) and CenterCrop(size), as Dream-OOD (Du et al. 2023) has for OOD sets
    at 32 pixels.

    Raises:
        ValueError: the image is so long that it would not fit into memory.
    """
    return _cut(image, size, size)


def _cut(image: Image.Image, shorter: int, size: int) -> Image.Image:
    scale = shorter / min(image.size)
    width, height = (
        shorter if side == min(image.size) else int(side * scale) for side in image.size
    )
    if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:
        raise ValueError(f"it is {image.width}×{image.height}, too long for its breadth; cut it")
    left, top = round((width - size) / 2), round((height - size) / 2)
    large = image.resize((width, height), BILINEAR)
    return large.crop((left, top, left + size, top + size))


SQUARES = {"squash": squash, "crop": crop, "centre": centre}
DEFAULT = "squash"


def pixels(image: Image.Image, way: str, size: int) -> np.ndarray:
    """An 8-bit RGB image made square in one of the ways of SQUARES: uint8 (3, size, size).

    Raises:
        ValueError: the image is too long for its breadth (see `crop` and `centre`).
    """
    return np.asarray(SQUARES[way](image, size)).transpose(2, 0, 1)
