"""Cuts of pictures that are too large to be held decoded: of slides, of tiles of a grid."""

import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from penumbra.images.decode import rgb

KEPT = 2  # pictures: threads that go on in order are at the end of one and the start of the next
SAMPLES = {1, 3, 4}  # grey; RGB; RGB and alpha
CONTIGUOUS = {None, 1}  # samples of a pixel side by side; nothing is said where there is one
PLAIN = {1, 2}  # black is 0; RGB
ORIENTATION = 274  # a tag, which Pillow follows
UPRIGHT = 1

Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels
Window = Callable[[Box], np.ndarray]  # uint8 (H, W, 1, 3 or 4) of a box


class Pictures:
    """The pictures that were cut last, KEPT of them at most.

    A TIFF whose bytes lie uncompressed, or in tiles or strips that tifffile decodes, is read where
    a cut lies; any other picture is decoded once and held.
    """

    def __init__(self) -> None:
        self._kept: dict[Path, Window] = {}  # what was used last comes last
        self._lock = threading.Lock()

    def cut(self, file: Path, box: Box) -> Image.Image:
        """A box of a picture in 8-bit RGB.

        Raises:
            ValueError: of its own checks; decoders raise much else where bytes are damaged.
        """
        with self._lock:
            window = self._kept.pop(file, None)
            if window is None:
                while len(self._kept) >= KEPT:  # first, so that no more are ever held at once
                    del self._kept[next(iter(self._kept))]
                window = _piecewise(file) or _whole(file)
            self._kept[file] = window
            pixels = window(box)
        left, top, right, bottom = box
        if pixels.shape[:2] != (bottom - top, right - left):
            raise ValueError(f"the box {box} reaches beyond its border")
        colours = pixels[..., 0] if pixels.shape[2] == 1 else pixels[..., :3]
        return Image.fromarray(np.ascontiguousarray(colours)).convert("RGB")


class Cut(NamedTuple):
    """A box of a picture, to be read when it is asked for."""

    pictures: Pictures
    file: Path
    box: Box

    def image(self) -> Image.Image:
        """Its pixels in 8-bit RGB.

        Raises:
            ValueError: of its own checks; decoders raise much else where bytes are damaged.
        """
        return self.pictures.cut(self.file, self.box)


def _whole(file: Path) -> Window:
    pixels = np.asarray(rgb(file))
    return lambda box: pixels[box[1] : box[3], box[0] : box[2]]


def _piecewise(file: Path) -> Window | None:
    """How boxes of a TIFF are read without the rest; None where Pillow has to decode it."""
    import tifffile  # a third of a second to import; only pictures that are cut need it

    try:
        tiff = tifffile.TiffFile(file)
    except tifffile.TiffFileError:
        return None
    window = _of_tiff(tiff, file)
    if window is None:
        tiff.close()
    else:
        # When the picture is dropped; its pages refer to it, so that it would stay open until the
        # collector of garbage comes by.
        weakref.finalize(window, tiff.close)
    return window


def _of_tiff(tiff: Any, file: Path) -> Window | None:
    """The same of a TIFF that is open, and stays so as long as boxes are read."""
    import tifffile

    page: Any = tiff.pages[0]
    is_plain = (
        page.tags.valueof(ORIENTATION, UPRIGHT) == UPRIGHT
        and page.dtype == np.uint8
        and page.ndim in (2, 3)
        and page.samplesperpixel in SAMPLES
        and page.planarconfig in CONTIGUOUS
        and page.photometric in PLAIN
    )
    if is_plain and page.is_memmappable:
        pixels = tifffile.memmap(file, page=0, mode="r").reshape(*page.shape[:2], -1)
        return lambda box: pixels[box[1] : box[3], box[0] : box[2]]
    return _of_segments(tiff, page) if is_plain and _can_decode(tiff, page) else None


def _can_decode(tiff: Any, page: Any) -> bool:
    """Whether tifffile knows the compression without packages that are not here."""
    try:
        _segment(tiff, page, 0)
    except ValueError:
        return False
    return True


def _segment(tiff: Any, page: Any, number: int) -> np.ndarray:
    """A tile or strip: uint8 (h, w, samples)."""
    tiff.filehandle.seek(page.dataoffsets[number])
    encoded = tiff.filehandle.read(page.databytecounts[number])
    decoded, _, shape = page.decode(encoded, number, jpegtables=page.jpegtables)
    return decoded.reshape(*decoded.shape[1:3], -1)[: shape[1], : shape[2]]


def _of_segments(tiff: Any, page: Any) -> Window:
    """The tiles or strips that a box touches, put together."""
    height, width = page.chunks[:2]
    across = page.chunked[1]

    def window(box: Box) -> np.ndarray:
        left, top, right, bottom = box
        if left < 0 or top < 0 or right > page.imagewidth or bottom > page.imagelength:
            raise ValueError(f"the box {box} reaches beyond its border")
        rows = range(top // height, (bottom - 1) // height + 1)
        columns = range(left // width, (right - 1) // width + 1)
        tiles = [
            np.concatenate([_segment(tiff, page, r * across + c) for c in columns], 1) for r in rows
        ]
        y, x = rows[0] * height, columns[0] * width
        return np.concatenate(tiles)[top - y : bottom - y, left - x : right - x]

    return window
