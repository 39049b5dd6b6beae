"""How diverse synthesised images are across categories and within them (badood, Figure 4a).

The paper prints neither the recogniser's classes nor the size and quality of the JPEG files; those
are chosen here. File sizes compare only at one side length and quality; chroma is never subsampled.
"""

import io

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError


def cross_category(predicted: np.ndarray, categories: int) -> float:
    """Distinct classes recognised in images (N,) of so many ID categories, per category."""
    return len(np.unique(_some(predicted))) / categories


def mean_of_jpeg(pixels: np.ndarray, quality: int) -> float:
    """Mean file size in bytes of images uint8 (N, 3, H, W): larger where they show more detail."""
    return float(np.mean([jpeg_bytes(image, quality) for image in _some(pixels)]))


def jpeg_of_mean(pixels: np.ndarray, quality: int) -> int:
    """File size in bytes of the mean of images uint8 (N, 3, H, W).

    Smaller for more diverse images, whose mean is blurred (ImageNet, Deng et al. 2009).
    """
    return jpeg_bytes(_some(pixels).mean(0).round().astype(np.uint8), quality)


def jpeg_bytes(pixels: np.ndarray, quality: int) -> int:
    """File size in bytes of one image uint8 (3, H, W) as JPEG, 4:4:4."""
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    image.save(out, "JPEG", quality=quality, subsampling=0)
    return out.tell()


def _some(values: np.ndarray) -> np.ndarray:
    if not len(values):
        raise PenumbraError("diversity: no images; the outlier set has none of this category")
    return values
