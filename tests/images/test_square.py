"""Square images: squashed, or cropped as torchvision does."""

import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures
from torchvision.transforms import CenterCrop, Compose, Resize

from penumbra.images.square import centre, crop, squash
from tests.images.helpers import PETS, read, spec


def photograph(width, height):
    return Image.fromarray(pictures.astronaut()).resize((width, height))


@pytest.mark.parametrize(
    ("width", "height"), [(500, 375), (375, 500), (301, 299), (224, 224), (64, 200), (1000, 257)]
)
def test_crop_is_torchvisions_at_224(width, height):
    image = photograph(width, height)
    expected = Compose([Resize(256), CenterCrop(224)])(image)
    assert np.array_equal(np.asarray(crop(image, 224)), np.asarray(expected))


@pytest.mark.parametrize(("width", "height"), [(500, 375), (301, 480), (256, 256), (33, 64)])
def test_centre_is_torchvisions_at_32(width, height):
    image = photograph(width, height)
    expected = Compose([Resize(32), CenterCrop(32)])(image)
    assert np.array_equal(np.asarray(centre(image, 32)), np.asarray(expected))


@pytest.mark.parametrize("size", [32, 64, 96])
def test_other_sizes_keep_the_margin(size):
    assert crop(photograph(90, 61), size).size == (size, size)
    assert squash(photograph(90, 61), size).size == (size, size)


def test_an_image_of_the_right_size_is_left_by_squash():
    image = photograph(64, 64)
    assert squash(image, 64) is image


def test_the_catalogue_chooses(tmp_path):
    folder = tmp_path / "pets" / "train"
    folder.mkdir(parents=True)
    wide = photograph(300, 150)
    wide.save(folder / "wide.png")
    for square, function in (("crop", crop), ("squash", squash), ("centre", centre)):
        dataset = PETS | {"square": square, "labelled": False}
        found = read(spec(dataset=dataset, count=1, size=64), tmp_path)
        expected = np.asarray(function(wide, 64)).transpose(2, 0, 1)
        assert np.array_equal(found.pixels[0], expected)
