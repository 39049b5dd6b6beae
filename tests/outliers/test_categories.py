"""Categories of outliers, and the two modules that recognise classes in them."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.inference import build
from penumbra.outliers.categories import categories, categorised
from penumbra.outliers.recognisers import classifier, clip
from tests.clip import small_clip

CLASSES = ["cat", "dog", "snow_owl"]


def test_three_categories():
    probabilities = np.array(
        [[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.2, 0.25, 0.25], [0.5, 0.5, 0.0], [0.9, 0.1, 0.0]]
    )
    # The anchor's class; another; none above the threshold; a tie goes to the first; not offered.
    assert categories(probabilities, np.array([0, 0, 0, 0, -1]), 0.3).tolist() == [1, 2, 3, 1, 2]


def test_classes_are_matched_by_name(folder):
    config = asked(folder, classes=CLASSES, threshold=0.0)
    found = categorised(clip, images(), np.array([0, 1, 2]), ["cow", *CLASSES[::-1]], None, config)
    place = [CLASSES.index(name) for name in found["recognised"]]
    # Anchors of a class that is not offered; of the last, and of the middle one.
    wanted = [2, 1 if place[1] == 2 else 2, 1 if place[2] == 1 else 2]
    assert found["category"].tolist() == wanted
    assert (found["probability"] >= 1 / 3).all()
    # What has no class shows none of its own, whichever is recognised in it.
    found = categorised(clip, images(), np.array([-1, -1, -1]), CLASSES, None, config)
    assert found["category"].tolist() == [2, 2, 2]
    last = categorised(clip, images(), np.array([place[0]] * 3), CLASSES, None, config)
    assert last["category"][0] == 1
    with pytest.raises(PenumbraError, match="none of the classes cow … is among the 3"):
        categorised(clip, images(), np.array([0, 0, 0]), ["cow"], None, config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("clip"))


def asked(folder, **changes):
    given = {"folder": str(folder), "prompt": "a photo of a {}", "device": "cpu", "batch_size": 2}
    return given | {"words": {}} | changes


def images(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 3, 20, 20)).astype(np.uint8)


def test_clip_gives_zero_shot_probabilities(folder):
    found, names = clip.probabilities(images(), CLASSES, None, asked(folder))
    assert names == CLASSES
    assert found.shape == (3, 3)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    alone, _ = clip.probabilities(images(1), CLASSES, None, asked(folder))
    np.testing.assert_allclose(found[:1], alone, rtol=1e-4)
    other, _ = clip.probabilities(images(), CLASSES, None, asked(folder, prompt="{} zz"))
    assert not np.allclose(found, other)


def test_clip_reads_words_and_tells_names(folder):
    words = {"n01": "cat", "n02": "dog", "n03": "snow owl"}
    found, names = clip.probabilities(images(), list(words), None, asked(folder, words=words))
    assert names == ["n01", "n02", "n03"]
    wanted, _ = clip.probabilities(images(), CLASSES, None, asked(folder))
    assert (found == wanted).all()


def test_clip_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PenumbraError, match=r"no CLIP.*no config.json.*recogniser: classifier"):
        clip.probabilities(images(), CLASSES, None, asked(tmp_path))


def test_incomplete_clip_is_named(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(PenumbraError, match=r"no CLIP as transformers saves it"):
        clip.probabilities(images(), CLASSES, None, asked(tmp_path))


def test_a_prompt_without_a_place_for_the_class_is_refused(folder):
    with pytest.raises(PenumbraError, match=r"has no \{\} for a class"):
        clip.probabilities(images(), CLASSES, None, asked(folder, prompt="a photo"))


def test_a_classifier_of_this_workflow(tmp_path):
    from safetensors.torch import save_file

    network = {"network": "resnet", "layers": 18, "width": 4, "stem": "fn"}
    torch.manual_seed(0)
    model = build(network, 3).eval()
    file = tmp_path / "model.safetensors"
    save_file({f"model.{k}": v.contiguous() for k, v in model.state_dict().items()}, file)
    config = {
        "network": network, "device": "cpu", "batch_size": 2,
        "normalisation": {"mean": [0.5] * 3, "std": [0.5] * 3},
    }  # fmt: skip
    found, names = classifier.probabilities(images(), CLASSES, file, config)
    with torch.inference_mode():
        x = (torch.from_numpy(images()).float() / 255 - 0.5) / 0.5
        wanted = model(x).softmax(1).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    assert names == CLASSES
