"""Images of every format, depth and kind of colours; and those that are refused, with the cause."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from penumbra.errors import PenumbraError
from penumbra.images.decode import rgb
from penumbra.images.square import crop
from tests.images.helpers import PETS, photographs, read, spec

UNLABELLED = spec(dataset=PETS | {"labelled": False}, count=None)
SUFFIXES = ["png", "tif", "tiff", "gif", "pgm", "pbm", "jfif", "jpe", "webp", "avif", "jp2"]


def packed(image, kind, **options):
    text = io.BytesIO()
    image.save(text, kind, **options)
    return text.getvalue()


def values(text):
    return np.asarray(rgb(io.BytesIO(text)))


def flat(tmp_path, **files):
    """A data set of the files given by name (`a_png` for a.png) and their bytes."""
    folder = tmp_path / "pets" / "train"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_bytes(text)
    return folder


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_all_common_suffixes_are_read(tmp_path, suffix):
    text = packed(photographs(1)[0].convert("L"), "PNG")  # by content, whatever the suffix says
    flat(tmp_path, **{f"a_{suffix}": text, "b_PNG": text})
    found = read(UNLABELLED, tmp_path)
    assert found.origins == [f"a.{suffix}", "b.PNG"]
    assert np.array_equal(*found.pixels)


MODES = ["RGB", "L", "1", "CMYK", "RGBA", "LA", "P"]


@pytest.mark.parametrize("mode", MODES)
def test_what_pillow_converts_by_itself_is_left_to_it(mode):
    image = photographs(1)[0].convert(mode)
    text = packed(image, "TIFF" if mode == "CMYK" else "PNG")
    wanted = Image.open(io.BytesIO(text)).convert("RGB")
    assert np.array_equal(values(text), np.asarray(wanted))


def test_alpha_and_orientation_are_not_followed():
    image = photographs(1)[0]
    clear = image.copy()
    clear.putalpha(0)
    assert np.array_equal(values(packed(clear, "PNG")), np.asarray(image))
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    turned = packed(image, "JPEG", exif=exif)
    assert np.array_equal(values(turned), values(packed(image, "JPEG")))


def colours(*channels):
    """A ramp of 256 values in each channel, each in an order of its own: uint8 (16, 16, C)."""
    ramp = np.arange(256)
    return np.stack([(ramp * step + 7) % 256 for step in channels], 1).reshape(16, 16, -1)


def test_inks_become_the_light_that_they_leave():
    inks = colours(1, 3, 5, 7).astype(np.uint8)
    found = values(packed(Image.fromarray(inks, "CMYK"), "TIFF"))
    paper = 255 - inks[..., 3:].astype(float)
    wanted = paper - np.floor(inks[..., :3] * paper / 255 + 0.5)
    assert np.array_equal(found, wanted)


def test_inks_of_a_jpeg_are_not_inverted():
    """Adobe's programs, and Pillow, store them inverted and say so in a marker."""
    flat = np.full((16, 16, 4), (200, 30, 0, 40), np.uint8)
    found = values(packed(Image.fromarray(flat, "CMYK"), "JPEG", quality=100))
    wanted = [215 - 215 * 200 / 255, 215 - 215 * 30 / 255, 215]
    assert np.abs(found - np.array(wanted)).max() <= 3  # the codec's own loss


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
@pytest.mark.parametrize("clear", [0, 7])
def test_a_palette_is_looked_up_whatever_is_transparent(kind, clear):
    palette = colours(3, 5, 7).reshape(256, 3).astype(np.uint8)
    places = np.arange(256, dtype=np.uint8).reshape(16, 16)[::-1].copy()
    image = Image.fromarray(places, "P")
    image.putpalette(palette.tobytes())
    found = values(packed(image, kind, transparency=clear))
    assert np.array_equal(found, palette[places])


def test_of_sixteen_bits_of_a_colour_the_high_byte_stays():
    deep = colours(1, 3, 5).astype(">u2") * 256 + colours(11, 13, 17)
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in deep)
    head = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    text = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    assert np.array_equal(values(text), deep // 256)


@pytest.mark.parametrize(
    ("kind", "options"), [("GIF", {}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})]
)
def test_the_first_frame_or_page_is_read_exactly(kind, options):
    first = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    frames = [Image.fromarray(first), Image.fromarray(255 - first)]
    text = packed(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(text)).n_frames == 2
    assert np.array_equal(values(text), first)


UPRIGHT = [
    lambda x: x, np.fliplr, lambda x: x[::-1, ::-1], np.flipud, lambda x: x.swapaxes(0, 1),
    lambda x: np.rot90(x, -1), lambda x: x[::-1, ::-1].swapaxes(0, 1), np.rot90,
]  # fmt: skip


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_followed_in_tiff_alone_as_pillow_does(orientation):
    stored = colours(1, 3, 5).astype(np.uint8)[:8]
    exif = Image.Exif()
    exif[274] = orientation
    image = Image.fromarray(stored)
    text = packed(image, "PNG", exif=exif)
    assert Image.open(io.BytesIO(text)).getexif()[274] == orientation
    assert np.array_equal(values(text), stored)
    upright = UPRIGHT[orientation - 1](stored)
    assert np.array_equal(values(packed(image, "TIFF", exif=exif)), upright)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled(kind):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    found = values(packed(deep, kind))
    assert np.array_equal(found, np.repeat(ramp[..., None], 3, 2))


@pytest.mark.parametrize(("dtype", "named"), [(np.float32, "floats"), (np.int32, "integers")])
def test_greys_of_no_stated_range_are_refused(tmp_path, dtype, named):
    image = Image.fromarray(np.ones((8, 8), dtype))
    folder = flat(tmp_path, a_tif=packed(image, "TIFF"))
    message = rf"{folder / 'a.tif'}: its greys are 32-bit {named}.*save it with 8 bits"
    with pytest.raises(PenumbraError, match=message):
        read(UNLABELLED, tmp_path)


def test_of_an_animation_the_first_frame_is_read():
    first, second = photographs(2)
    both = packed(first, "GIF", save_all=True, append_images=[second])
    assert np.array_equal(values(both), values(packed(first, "GIF")))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("cut", [1, 4, 12, 20, 300])
def test_a_missing_end_is_seen(tmp_path, kind, cut):
    text = packed(photographs(1)[0], kind)
    folder = flat(tmp_path, a_png=text[:-cut])
    message = f"unreadable image {folder / 'a.png'}: image file is truncated.*replace the file"
    with pytest.raises(PenumbraError, match=message):
        read(UNLABELLED, tmp_path)


def test_what_follows_the_end_of_a_png_is_nothing():
    text = packed(photographs(1)[0], "PNG")
    assert np.array_equal(values(text + b"more" * 9), values(text))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", r"it is empty \(0 bytes\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "pointer of Git LFS"),
        (b"<html>not found</html>", "no format that is read; it begins b'<html>"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no format that is read"),
    ],
)
def test_files_that_are_no_image(tmp_path, text, named):
    folder = flat(tmp_path, a_png=text)
    with pytest.raises(PenumbraError, match=rf"{folder / 'a.png'}: .*{named}") as error:
        read(UNLABELLED, tmp_path)
    assert " object at 0x" not in str(error.value)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("most", [300, 1000])  # Pillow warns above them, and refuses above twice
def test_an_image_above_the_limit_is_named(tmp_path, monkeypatch, most):
    folder = flat(tmp_path, a_png=packed(photographs(1)[0], "PNG"))  # 1,600 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    message = rf"unreadable image {folder / 'a.png'}: .*1600|40×40.*at most {most:,}.*smaller"
    with pytest.raises(PenumbraError, match=message):
        read(UNLABELLED, tmp_path)


def test_a_warning_that_is_made_an_error_is_named_too(tmp_path, monkeypatch):
    import warnings

    folder = flat(tmp_path, a_png=packed(photographs(1)[0], "PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PenumbraError, match=rf"{folder / 'a.png'}: .*make it smaller"):
            read(UNLABELLED, tmp_path)


def test_a_line_is_not_enlarged_without_bounds():
    with pytest.raises(ValueError, match="1×20000, too long for its breadth"):
        crop(Image.new("RGB", (1, 20000)), 224)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_greys_of_a_tiff_may_count_from_white(dtype):
    greys = np.arange(256, dtype=dtype).reshape(16, 16) * (257 if dtype == np.uint16 else 1)
    text = packed(Image.fromarray(greys), "TIFF")
    black, white = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (1, 0))
    assert black in text
    wanted = 255 - values(text)
    assert np.array_equal(values(text.replace(black, white)), wanted)
