"""Arrays, images of Pillow and image files as a detector's network wants them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.decode import eight_bit_rgb, reason, rgb
from penumbra.images.names import readable
from penumbra.images.prepared import prepared


def of_array(images: np.ndarray, way: str, size: int, batch_size: int) -> Iterator[np.ndarray]:
    """Batches (n, 3, size, size) of uint8 (N, 3, H, W) or (N, H, W, 3); the first where both fit.

    Images that have the size are taken as they are, others prepared as files are.

    Raises:
        PenumbraError: the array has another shape or type, or its images have no pixels.
    """
    if images.dtype != np.uint8:
        raise PenumbraError(
            f"an array of {images.dtype}: a detector takes uint8, from 0 to 255, and normalises "
            "itself"
        )
    if images.ndim != 4 or 3 not in (images.shape[1], images.shape[3]):
        raise PenumbraError(
            f"an array of shape {images.shape}: a detector takes (N, 3, H, W) or (N, H, W, 3); of "
            "one image, image[None]"
        )
    if images.shape[1] != 3:
        images = images.transpose(0, 3, 1, 2)
    if 0 in images.shape[2:]:
        raise _empty("each image of the array", images.shape[3], images.shape[2])
    return _batches(images, way, size, batch_size)


def _batches(images: np.ndarray, way: str, size: int, batch_size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(images), batch_size):
        batch = np.ascontiguousarray(images[start : start + batch_size])
        if batch.shape[2:] != (size, size):
            pictures = (Image.fromarray(np.moveaxis(pixels, 0, 2)) for pixels in batch)
            batch = np.stack([of_image(picture, way, size) for picture in pictures])
        yield batch


def check_sides(images: Sequence[Image.Image]) -> None:
    """Refuse images of Pillow's without pixels, as a crop beyond the edge leaves them.

    Raises:
        PenumbraError: names the first one by its place.
    """
    for place, image in enumerate(images):
        if 0 in image.size:
            raise _empty(f"image {place} of {len(images)}", *image.size)


def _empty(what: str, width: int, height: int) -> PenumbraError:
    return PenumbraError(
        f"{what} is {width}×{height} and has no pixels; leave such crops out, or cut within the "
        "image"
    )


def of_image(image: Image.Image, way: str, size: int) -> np.ndarray:
    """An image of Pillow's of any mode and shape: uint8 (3, size, size).

    Raises:
        PenumbraError: it cannot be made so.
    """
    try:
        return prepared(eight_bit_rgb(image), way, size)
    except Exception as error:  # a file that Pillow opened is decoded here, and may be damaged
        raise PenumbraError(f"an image of Pillow's cannot be used: {reason(error)}") from error


def of_file(file: str | Path, way: str, size: int) -> np.ndarray:
    """The first frame of an image file: uint8 (3, size, size).

    Raises:
        PenumbraError: it is not there, or no image that can be read.
    """
    try:
        return prepared(rgb(Path(file)), way, size)
    except Exception as error:  # decoders raise anything where bytes are damaged
        name = readable(str(file))
        raise PenumbraError(f"unreadable image {name}: {reason(error)}") from error
