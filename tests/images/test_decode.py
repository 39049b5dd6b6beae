"""Images of every format, depth and kind of colours; and those that are refused, with the cause."""

import io

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
