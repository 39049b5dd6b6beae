"""The random resized crop; flip and padded crop are in test_loop."""

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.functional import resized_crop

from penumbra.errors import PenumbraError
from penumbra.images.augment import Feeder
from tests.training.helpers import CPU, HALF, digits

INCEPTION = (0.08, 1.0)


def feeder(pixels, scale=INCEPTION, flip=False, channels_last=False):
    labels = np.arange(len(pixels))
    return Feeder(pixels, labels, HALF, flip, 0, channels_last, CPU, crop_scale=scale)


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def normalised(pixels):
    return (torch.as_tensor(pixels).float() / 255 - 0.5) / 0.5


def draw(made, rows, seed=0):
    return made.batch(rows, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(16, 16), (20, 13)])
def test_a_crop_is_torchvisions_of_the_same_box(size):
    pixels = noise(12, 3, *size)
    made, rows = feeder(pixels), torch.arange(12).flip(0)
    x, y = draw(made, rows)
    boxes = torch.stack(made._boxes(12, torch.Generator().manual_seed(0)), 1).int().tolist()
    assert torch.equal(y, rows)
    for image, box, row in zip(x, boxes, rows, strict=True):
        wanted = resized_crop(normalised(pixels[row]), *box, list(size), antialias=False)
        assert torch.allclose(image, wanted, atol=1e-4)


@pytest.mark.parametrize("size", [(64, 64), (40, 72)])
def test_boxes_are_distributed_as_torchvisions(size):
    made = feeder(noise(1, 3, *size))
    ours = torch.stack(made._boxes(4000, torch.Generator().manual_seed(0)), 1)
    torch.manual_seed(0)
    image = torch.zeros(3, *size)
    draws = [RandomResizedCrop.get_params(image, INCEPTION, (3 / 4, 4 / 3)) for _ in range(4000)]
    theirs = torch.tensor(draws).float()
    error = theirs.std(0) / 4000**0.5
    assert ((ours.mean(0) - theirs.mean(0)).abs() < 5 * error).all()
    assert torch.allclose(ours.std(0), theirs.std(0), rtol=0.06)
    top, left, height, width = ours.T
    assert (top >= 0).all()
    assert (top + height <= size[0]).all()
    assert (left >= 0).all()
    assert (left + width <= size[1]).all()


def test_the_whole_image_where_no_box_fits():
    pixels, _ = digits(4)
    x, _ = draw(feeder(pixels, (1.0, 1.0)), torch.arange(4))
    assert torch.allclose(x, normalised(pixels), atol=1e-4)
    wide = feeder(noise(1, 3, 8, 32), (1.0, 1.0))
    _, _, height, width = wide._boxes(3, torch.Generator())
    assert height.tolist() == [8] * 3
    assert width.tolist() == [11] * 3  # a ratio of 4/3


def test_half_of_the_crops_are_of_the_mirrored_image():
    pixels = noise(40, 3, 16, 16)
    rows = torch.arange(40)
    x, _ = draw(feeder(pixels, flip=True), rows)
    plain, _ = draw(feeder(pixels), rows)
    mirror, _ = draw(feeder(pixels[..., ::-1].copy()), rows)
    same = [torch.equal(a, b) for a, b in zip(x, plain, strict=True)]
    mirrored = [torch.allclose(a, b, atol=1e-4) for a, b in zip(x, mirror, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 10 < sum(mirrored) < 30


def test_layout_is_as_asked_for():
    pixels, _ = digits(8)
    x, _ = draw(feeder(pixels), torch.arange(8))
    last, _ = draw(feeder(pixels, channels_last=True), torch.arange(8))
    assert x.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, last)


def test_two_crops_at_once_are_refused():
    pixels, labels = digits(2)
    with pytest.raises(PenumbraError, match="exclude each other"):
        Feeder(pixels, labels, HALF, False, 4, False, CPU, crop_scale=INCEPTION)
