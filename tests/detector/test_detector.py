"""A detector called with arrays, images and paths."""

import numpy as np
import pytest
import torch
from PIL import Image

from penumbra.detector.detector import Detector
from penumbra.detector.file import HELDOUT
from penumbra.errors import PenumbraError
from penumbra.images.prepared import prepared
from tests.detector.conftest import SIZE, described, noise, scorer, weights


def test_one_row_an_image(detector):
    rows = detector(noise(20, 1))  # held-out images among them
    assert list(rows.columns) == ["score", "p_id", "accept"]
    assert rows["accept"].dtype == bool
    assert np.allclose(rows["score"], detector.heldout[:20], rtol=1e-5)
    assert np.array_equal(rows["accept"], rows["score"] >= detector.threshold)
    assert rows["p_id"].between(0, 1).all()


def test_any_way_to_hand_images_over_gives_the_same(detector, tmp_path):
    pixels = noise(11)
    wanted = detector(pixels)
    last = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
    images = [Image.fromarray(image) for image in last]
    paths = [tmp_path / f"{i}.png" for i in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    for given in (last, images):
        assert detector(given).equals(wanted)
    named = detector(paths)
    assert list(named.index) == [str(path) for path in paths]
    assert named.reset_index(drop=True).equals(wanted)
    alone = detector(pixels[3:4])
    assert alone["score"][0] == pytest.approx(wanted["score"][3], rel=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA", "I;16", "1", "P"])
def test_images_of_any_mode_and_shape_are_made_square_as_files_are(detector, tmp_path, mode):
    grey = np.random.default_rng(0).integers(0, 2**16, (40, 30), dtype=np.uint16)
    image = Image.fromarray(grey)
    if mode != "I;16":
        image = Image.fromarray((grey >> 8).astype(np.uint8)).convert(mode)
    image.save(tmp_path / "image.png")
    assert detector([image])["score"].equals(
        detector([tmp_path / "image.png"]).reset_index(drop=True)["score"]
    )


def test_arrays_of_another_size_are_made_square(detector):
    large = noise(3, size=40)
    wanted = [prepared(Image.fromarray(i.transpose(1, 2, 0)), "squash", SIZE) for i in large]
    assert detector(large).equals(detector(np.stack(wanted)))


def test_no_image_at_all(detector):
    assert len(detector([])) == 0
    assert len(detector(noise(0))) == 0


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (noise(2).astype(np.float32), "array of float32: a detector takes uint8"),
        (noise(1)[0], r"shape \(3, 16, 16\): .* of one image, image\[None\]"),
        (np.zeros((2, 4, 8, 8), np.uint8), r"shape \(2, 4, 8, 8\)"),
        (np.zeros((1, 3, 0, 16), np.uint8), "each image of the array is 16×0 and has no pixels"),
        (np.zeros((1, 0, 16, 3), np.uint8), "each image of the array is 16×0 and has no pixels"),
        (np.zeros((2, 3, 16, 0), np.uint8), "each image of the array is 0×16 and has no pixels"),
        ([Image.new("RGB", (9, 9)), Image.new("RGB", (0, 5))], "image 1 of 2 is 0×5 and has no"),
        ("image.png", "takes a list of images or paths"),
        (None, "a detector takes images or paths, and none is in None"),
        ([1, "a.png"], "these are int, str"),
        (["nowhere.png"], "unreadable image nowhere.png: No such file or directory"),
    ],
)
def test_what_is_no_image(detector, images, message):
    with pytest.raises(PenumbraError, match=message):
        detector(images)


def test_another_share_of_accepted_images(detector):
    loose = detector.at(0.99)
    assert (loose.tpr, detector.tpr) == (0.99, 0.9)
    assert loose.threshold < detector.threshold
    assert (loose.heldout >= loose.threshold).mean() >= 0.99
    assert loose.false_accepts() >= detector.false_accepts()
    for share, told in ((1, "1"), ("0.9", "'0.9'"), (None, "None"), (np.nan, "nan")):
        with pytest.raises(PenumbraError, match=f"TPR {told}: "):
            detector.at(share)
    assert detector.at(np.float64(0.99)).threshold == loose.threshold


def test_a_detector_without_calibration():
    tensors = {**weights(), HELDOUT: torch.arange(10.0).double()}
    rows = Detector(described(), tensors, "cpu")(noise(3))
    assert rows["p_id"].isna().all()
    assert rows["score"].notna().all()


@pytest.mark.parametrize(
    ("module", "needs", "block"),
    [
        ("odin", ("gradients",), ""),
        ("fn", ("l2",), "block2.0"),
        ("react", ("features", "head"), ""),
    ],
)
def test_scorers_of_the_network_of_blocks_and_of_the_last_layer(module, needs, block):
    """What images are scored beside changes nothing."""
    tensors = {**weights(), HELDOUT: torch.arange(10.0).double()}
    tensors["fitted.threshold"] = torch.tensor([0.5]).double()
    made = described(scorer=scorer(module, needs, block))
    pixels = noise(11)
    whole = Detector(made, tensors, "cpu").scores(pixels)
    assert np.ptp(whole) > 0
    alone = [Detector(made, tensors, "cpu", 1).scores(image[None])[0] for image in pixels[:3]]
    assert np.allclose(alone, whole[:3], rtol=1e-4)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("gpu", "device 'gpu': is none; name cpu"),
        (None, "device None: is none; name cpu"),
        (0, "device 0: is none; name cpu"),
        ("mps", "device 'mps': is none; name cpu"),
        ("cuda:99", "device cuda:99: .* GPUs are visible"),
    ],
)
def test_a_device_that_is_not_there(file, device, message):
    with pytest.raises(PenumbraError, match=message):
        Detector.load(file, device)


@pytest.mark.parametrize("size", [0, -1, "2", 2.5, True])
def test_a_batch_of_no_number_of_images(file, size):
    with pytest.raises(PenumbraError, match=f"batch size {size!r}: "):
        Detector.load(file, "cpu", size)


def test_a_batch_size_of_numpys(file):
    assert Detector.load(file, torch.device("cpu"), np.int64(3)).batch_size == 3
