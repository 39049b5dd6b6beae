"""One encoded image as 8-bit RGB, whatever its format, depth and colours; or why it can't be."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

# What Pillow opens by its content, whatever the file's suffix. Not in it is what runs a program
# to be shown, as EPS does.
FORMATS = (
    *("PNG", "JPEG", "BMP", "DIB", "PPM", "WEBP", "TIFF", "GIF", "JPEG2000", "AVIF", "TGA", "ICO"),
)
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # tags of TIFF
FROM_WHITE = 0  # of the second: greys that count from white
DEEP = ("PNG", "PPM")  # their 16 bits come as mode I, of 32, in some cases
ORIENTATION = 274  # a tag of EXIF
UPRIGHT = (0, 1)
IEND = b"\0\0\0\0IEND\xaeB`\x82"
POINTER = b"version https://git-lfs"


class Kind(NamedTuple):
    """What an encoded image is: its format, Pillow's mode, its sides, what is not read of it."""

    format: str
    mode: str
    width: int
    height: int
    unread: tuple[str, ...]


def kind(file: Path | BinaryIO) -> Kind:
    """What an image is; it is decoded wholly.

    Raises:
        ValueError: as `rgb` does; Pillow raises much else where bytes are damaged.
    """
    with _opened(file) as stream:
        image = _loaded(stream)
        _eight_bits(image).convert("RGB")
        return Kind(image.format or "", image.mode, *image.size, tuple(_unread(image)))


def _unread(image: Image.Image) -> Iterator[str]:
    if image.has_transparency_data:
        yield "transparency"
    try:
        if image.getexif().get(ORIENTATION, 1) not in UPRIGHT:
            yield "EXIF orientation"
        if getattr(image, "n_frames", 1) > 1:
            yield "frames after the first"
    except Exception:  # what is read is whole; of damaged EXIF and later frames nothing is known
        yield "damaged EXIF or frames"


def rgb(file: Path | BinaryIO) -> Image.Image:
    """The first frame in 8-bit RGB.

    16-bit greys are scaled, not clipped: the high byte stays, as Pillow does it for 16-bit colours.
    Alpha is dropped and EXIF's orientation is not followed, as torchvision's ImageFolder does it;
    that of a TIFF is, by Pillow itself, for both.

    Raises:
        ValueError: of its own checks; Pillow raises much else where bytes are damaged.
    """
    with _opened(file) as stream:
        return eight_bit_rgb(_loaded(stream))


def eight_bit_rgb(image: Image.Image) -> Image.Image:
    """A loaded image in 8-bit RGB, as `rgb` makes it.

    Raises:
        ValueError: its greys are of no stated range.
    """
    if image.format == "JPEG" and image.mode == "RGB":
        return image  # convert() would copy it
    return _eight_bits(image).convert("RGB")


def _loaded(stream: BinaryIO) -> Image.Image:
    """The image decoded, as its format has it."""
    start = stream.read(len(POINTER))
    if not start:
        raise ValueError("it is empty (0 bytes)")
    if start == POINTER:
        raise ValueError("it is a pointer of Git LFS and not the image (git lfs pull gets it)")
    stream.seek(0)
    image = _open(stream, start)
    image.load()
    if image.format == "PNG":
        _check_end(stream)
    return image


def _opened(file: Path | BinaryIO) -> BinaryIO:
    return file.open("rb") if isinstance(file, Path) else file


def _open(stream: BinaryIO, start: bytes) -> Image.Image:
    most = Image.MAX_IMAGE_PIXELS
    try:
        image = Image.open(stream, formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise ValueError(f"it is of no format that is read; it begins {start!r}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"{error} At most {most:,} pixels are read: make it smaller") from None
    if most and image.width * image.height > most:  # of which Pillow only warns, by no name
        size = f"{image.width}×{image.height}"
        raise ValueError(f"it has {size} pixels; at most {most:,} are read: make it smaller")
    return image


def _check_end(stream: BinaryIO) -> None:
    """Refuse a PNG without its last chunk: Pillow needs only what the pixels are packed in."""
    stream.seek(-len(IEND), 2)
    if stream.read() == IEND:
        return
    stream.seek(8)
    while len(head := stream.read(8)) == 8:  # something else may follow
        if head == IEND[:8]:
            if stream.read(4) == IEND[8:]:
                return
            break
        stream.seek(int.from_bytes(head[:4], "big") + 4, 1)
    raise ValueError("image file is truncated: its end is missing")


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image itself, or greys of 8 bits where it has more."""
    mode = image.mode
    if mode.startswith("I;16"):
        bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
    elif mode == "I" and image.format in DEEP:
        bits = 16
    elif mode in ("I", "F"):
        kind = "floats" if mode == "F" else "integers"
        raise ValueError(f"its greys are 32-bit {kind} of no stated range; save it with 8 bits")
    else:
        return image
    values = (np.asarray(image).astype(np.int64) >> (bits - 8)).astype(np.uint8)
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == FROM_WHITE:  # Pillow sees to 8 bits alone
        values = 255 - values
    return Image.fromarray(values)


def reason(error: BaseException) -> str:
    """What is wrong with an image, or its file, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__
