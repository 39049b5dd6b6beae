"""Streamed images: torchvision's crops, the same batches however they are made, bounded memory."""

import threading

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from skimage import data as pictures
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms import functional as F

from penumbra.errors import UnreadableError
from penumbra.images import crops
from penumbra.images.augment import Feeder
from penumbra.images.image_set import ImageSet, to_table
from penumbra.images.unpacked import Unpacked
from penumbra.store.artifacts import write_parquet
from penumbra.store.closure import code_of
from penumbra.training.streaming import AHEAD
from tests.training import processes
from tests.training.encoded import (
    COUNT,
    SIDE,
    listed,
    spool,
    streaming,
    table_of,
    trainer,
    write_images,
)
from tests.training.helpers import CPU, HALF, digits, equal, weights
from tests.training.test_yielding import After

SCALE = (0.08, 1.0)
SHAPES = [(500, 375), (64, 64), (30, 200), (1, 9)]


def generator(seed):
    return torch.Generator().manual_seed(seed)


def requests(count=6, size=4):
    """Batches that name images in another order each."""
    for i in range(count):
        yield torch.randperm(COUNT, generator=generator(i))[:size], generator(100 + i)


def served(feeder, **given):
    with feeder.workers:
        return [(x.clone(), y) for x, y in feeder.served(requests(**given))]


def alike(one, other):
    return all(
        torch.equal(x, z) and torch.equal(y, w) for (x, y), (z, w) in zip(one, other, strict=True)
    )


class Numbers:
    """Gives torchvision's draws from those of an image."""

    def __init__(self, drawn):
        self.pairs = iter(np.stack([drawn.areas, drawn.ratios], 1).ravel().tolist())
        self.places = iter([drawn.top, drawn.left])

    def uniform(self, tensor, low, high):
        return tensor.fill_(low + (high - low) * next(self.pairs))

    def whole(self, low, high, size):
        return torch.full(size, low + int(next(self.places) * (high - low)))


@pytest.mark.parametrize("shape", SHAPES)
def test_boxes_are_torchvisions(shape, monkeypatch):
    empty = torch.empty(3, *shape[::-1])
    fallbacks = 0
    for seed in range(60):
        drawn = crops.Drawn.of(np.random.default_rng(seed).random(crops.DRAWS))
        numbers = Numbers(drawn)
        uniform = numbers.uniform
        monkeypatch.setattr(torch.Tensor, "uniform_", lambda *given, u=uniform: u(*given))
        monkeypatch.setattr(torch, "randint", numbers.whole)
        top, left, high, wide = RandomResizedCrop.get_params(empty, SCALE, (3 / 4, 4 / 3))
        assert crops.box(shape, SCALE, drawn) == (left, top, left + wide, top + high)
        fallbacks += len([*numbers.places]) == 2
        monkeypatch.undo()
    assert (fallbacks > 0) == (max(shape) > 4 * min(shape))


def test_crops_are_torchvisions_to_the_bit():
    image = Image.fromarray(pictures.astronaut()).crop((0, 0, 500, 375))
    for corners in [(0, 0, 500, 375), (13, 40, 413, 340), (450, 300, 480, 330), (7, 7, 23, 23)]:
        left, top, right, bottom = corners
        box = top, left, bottom - top, right - left
        theirs = F.resized_crop(
            image, *box, [SIDE, SIDE], InterpolationMode.BILINEAR, antialias=True
        )
        assert np.array_equal(crops.resized(image, corners, SIDE), theirs)
    drawn = crops.Drawn.of(np.full(crops.DRAWS, 0.7))
    small = image.resize((SIDE, SIDE))
    theirs = F.crop(F.pad(small, [2] * 4), 3, 3, SIDE, SIDE)  # 0.7 of five places
    assert np.array_equal(crops.padded(small, 2, drawn), theirs)


def test_flips_are_half_of_all(tmp_path):
    images = listed(tmp_path)
    whole = {"crop_scale": None, "crop_padding": 0}
    plain, flipped = (streaming(images, flip=flip, **whole) for flip in (False, True))
    pairs = zip(served(plain, count=40), served(flipped, count=40), strict=True)
    mirrored = [
        bool(torch.equal(a.flip(2), b))
        for (x, _), (z, _) in pairs
        for a, b in zip(x, z, strict=True)
    ]
    assert 55 < sum(mirrored) < 105


def test_without_a_random_crop_they_are_the_images_of_the_set(tmp_path):
    """As the feeder serves that has them on the device."""
    images = listed(tmp_path)
    plain = {"flip": False, "crop_padding": 0}
    pixels = images.pixels(range(COUNT))
    device = Feeder(pixels, images.labels, HALF, channels_last=False, device=CPU, **plain)
    streamed = streaming(images, **plain, crop_scale=None)
    assert alike(served(streamed), list(device.served(requests())))


@pytest.mark.parametrize("changes", [{}, {"crop_scale": None, "crop_padding": 2}])
def test_batches_do_not_depend_on_the_threads(tmp_path, changes):
    images = listed(tmp_path)
    alone = served(streaming(images, 1, **changes))
    for workers in (2, 4):
        assert alike(served(streaming(images, workers, **changes)), alone)
    single = streaming(images, 2, **changes)
    later = next(single.served(list(requests())[4:]))  # as a resumed epoch asks
    assert alike([later], alone[4:5])
    assert len({x.numpy().tobytes() for x, _ in alone}) == len(alone)
    single.close()


def test_outliers_stream_from_their_shards(tmp_path):
    outliers = spool(tmp_path)
    assert 0 < len(outliers) < 10
    assert not [file for file in tmp_path.iterdir() if file.suffix != ".parquet"]
    feeder = streaming(outliers, flip=False, crop_scale=None)
    rows = torch.arange(len(outliers))
    ((inputs, labels),) = feeder.served([(rows, generator(0))])
    feeder.close()
    squares = np.stack([np.asarray(outliers.square(outliers.image(i))) for i in range(len(rows))])
    made = ((inputs * 0.5 + 0.5) * 255).round().permute(0, 2, 3, 1)
    assert torch.equal(made, torch.from_numpy(squares).float())
    assert not labels.any()


def test_decoded_images_may_stream(tmp_path):
    """As those do that have passed through a tokenizer: the same pixels, in no memory."""
    pixels, labels = digits(COUNT)
    images = ImageSet(pixels, labels, [""] * COUNT, [str(i) for i in range(10)])
    write_parquet(tmp_path / "images.parquet", map(to_table, split(images)), {})
    unpacked = Unpacked(tmp_path / "images.parquet", tmp_path / "scratch")
    assert not list((tmp_path / "scratch").iterdir())
    plain = {"flip": False, "crop_padding": 0}
    device = Feeder(pixels, labels, HALF, channels_last=False, device=CPU, **plain)
    streamed = streaming(unpacked, **plain, crop_scale=None)
    assert alike(served(streamed), list(device.served(requests())))
    assert unpacked.classes == images.classes


def split(images):
    """Two row groups."""
    for rows in (slice(0, 9), slice(9, None)):
        origins = images.origins[rows]
        yield ImageSet(images.pixels[rows], images.labels[rows], origins, images.classes)


def test_memory_is_that_of_the_batches_ahead(tmp_path):
    asked, places = [], set()

    def endless():
        while True:
            asked.append(0)
            yield torch.arange(4) % COUNT, generator(0)

    feeder = streaming(listed(tmp_path))
    batches = feeder.served(endless())
    for i in range(30):
        next(batches)
        places |= {slot.buffer.data_ptr() for slot in feeder.free}
        assert len(asked) <= i + 1 + AHEAD
    batches.close()
    places |= {slot.buffer.data_ptr() for slot in feeder.free}
    assert len(places) == AHEAD + 1
    feeder.close()


@pytest.mark.parametrize(("method", "workers"), [("standard", 1), ("uat", 3), ("energy", 3)])
def test_a_stopped_training_goes_on_to_the_same_weights(tmp_path, method, workers):
    calm = trainer(tmp_path, method, 2)
    history = calm.run(None, lambda _: None)
    first = trainer(tmp_path, method, workers)
    with pytest.raises(Exception, match="stopped by a signal in epoch 2 after step 2 of 6"):
        first.run(After(tmp_path, 7), lambda _: None)
    second = trainer(tmp_path, method, workers)
    assert second.run(After(tmp_path, 99), lambda _: None) == history
    assert equal(weights(second.model), weights(calm.model))


def test_a_damaged_image_ends_the_training_that_then_goes_on(tmp_path):
    calm = trainer(tmp_path)
    history = calm.run(None, lambda _: None)
    order = calm._begin(1).order.tolist()
    before = threading.active_count()
    run = trainer(tmp_path)
    file = tmp_path / f"images/{order[9]}.jpg"  # of the third batch of the second epoch
    good, said = file.read_bytes(), []

    def damage(line):
        said.append(line)
        file.write_bytes(b"broken")

    with pytest.raises(
        UnreadableError, match=rf"unreadable image .*images/{order[9]}.jpg: its 6 by"
    ):
        run.run(After(tmp_path, 99), damage)
    assert len(said) == 1
    assert threading.active_count() == before
    file.write_bytes(good)
    again = trainer(tmp_path)
    assert again.run(After(tmp_path, 99), said.append) == history
    assert said[1] == "resuming in epoch 2 after step 2 of 6"
    assert equal(weights(again.model), weights(calm.model))


@pytest.mark.parametrize("stored", ["listed", "decoded"])
def test_a_detector_streams_with_its_outliers(tmp_path, stored):
    """As its rule starts it; with a selection."""
    run = processes.model(tmp_path / "run", "energy", epochs=1, count=60)
    if stored == "listed":
        images = table_of(write_images(tmp_path / "images"))
        write_parquet(run.folder / "images.parquet", images, {})
    run.spec["config"]["streams"] = True
    names = [str(i) for i in range(60)]
    selection = pa.table({"outlier": names, "kept": [i % 3 == 0 for i in range(60)]})
    write_parquet(run.folder / "selection.parquet", selection, {})
    run.spec["roots"].append("penumbra.training.streaming")
    roots = ["penumbra.stages.models", *run.spec["roots"]]
    run.spec["code"] = code_of(roots)["digest"]
    run.more = ["selection=selection.parquet"]
    said = run.finish()
    assert "20 outliers of 60" in said
    assert run.model.exists()
    assert not list((run.folder / "scratch").rglob("*.*"))


def test_any_error_of_a_thread_is_raised_as_it_is(tmp_path):
    feeder = streaming(listed(tmp_path))
    with feeder.workers, pytest.raises(IndexError):
        next(feeder.served([(torch.tensor([COUNT + 5]), generator(0))]))
