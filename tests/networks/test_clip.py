"""Zero-shot CLIP as a classifier: its cosines are transformers' own, and it passes a checkpoint."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.backbones.clip import Clip
from penumbra.networks.inference import Reader, build, restore
from penumbra.training.methods.zero_shot import classifier
from tests.clip import small_clip

CLASSES = ["cat", "snow_owl", "dog"]
SIZE = 16
CPU = torch.device("cpu")
NORMALISATION = {
    "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_clip(tmp_path_factory.mktemp("clip"), SIZE)


def x(size=SIZE):
    return torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(1))


def cosines(folder, x, texts):
    """transformers' own: the logits of an image and a text, without their common scale."""
    from transformers import CLIPModel, CLIPTokenizer

    model, tokenizer = (kind.from_pretrained(folder) for kind in (CLIPModel, CLIPTokenizer))
    words = tokenizer(texts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        logits = model.eval()(pixel_values=x, **words).logits_per_image
        return logits / model.logit_scale.exp()


def test_logits_are_the_cosines_of_transformers(folder):
    model = classifier(folder, CLASSES, "a photo of a {}", CPU).eval()
    wanted = cosines(folder, x(), [f"a photo of a {c}" for c in ("cat", "snow owl", "dog")])
    with torch.inference_mode():
        found, z = model(x()), model.features(x())
        torch.testing.assert_close(found, z @ model.fc.weight.T)
    assert found.shape == (4, 3)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    assert wanted.std(1).min() > 1e-4  # classes differ
    torch.testing.assert_close(z.norm(dim=1), torch.ones(4))


def test_an_image_encoder_is_taken_up_wholly_or_not_at_all(folder):
    from transformers import CLIPModel

    clip = CLIPModel.from_pretrained(folder)
    model = Clip(len(CLASSES), clip.config)
    text = model.fc.weight.clone()
    model.take_up(clip)
    assert torch.equal(model.visual_projection.weight, clip.visual_projection.weight)
    assert torch.equal(model.fc.weight, text)
    del clip.visual_projection
    with pytest.raises(RuntimeError, match="visual_projection"):
        model.take_up(clip)


def test_images_of_another_size_are_resized_first(folder):
    model = classifier(folder, CLASSES, "{}", CPU).eval()
    for size in (SIZE // 2, 3 * SIZE):
        resized = torch.nn.functional.interpolate(
            x(size), (SIZE, SIZE), mode="bicubic", antialias=True
        )
        with torch.inference_mode():
            torch.testing.assert_close(model(x(size)), model(resized))


def test_a_checkpoint_gives_the_same_network_without_the_weights_folder(folder, tmp_path):
    state = classifier(folder, CLASSES, "a photo of a {}", CPU).state_dict()
    assert not any("text" in name or "scale" in name for name in state)
    bare = tmp_path / "bare"  # the network's shape is all that restoring takes from a folder
    bare.mkdir()
    (bare / "config.json").write_text((folder / "config.json").read_text())
    checkpoint = {f"model.{name}": tensor for name, tensor in state.items()}
    model = restore({"network": "clip", "folder": str(bare)}, len(CLASSES), checkpoint)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, SIZE, SIZE)).astype(np.uint8)
    reader = Reader(model, NORMALISATION, None, 2, CPU)
    found = reader.outputs(pixels)
    texts = [f"a photo of a {c}" for c in ("cat", "snow owl", "dog")]
    wanted = cosines(folder, torch.cat(list(reader.batches(pixels))), texts)
    np.testing.assert_allclose(found["logits"], wanted, rtol=1e-5, atol=1e-6)


def test_classes_stand_in_the_order_that_they_are_given_in(folder):
    weight, swapped = (
        classifier(folder, classes, "a photo of a {}", CPU).fc.weight
        for classes in (CLASSES, CLASSES[::-1])
    )
    torch.testing.assert_close(weight, swapped.flip(0))


def test_a_folder_without_clip_is_named(tmp_path):
    with pytest.raises(PenumbraError, match=r"nowhere: no CLIP as transformers .*no config.json"):
        build({"network": "clip", "folder": str(tmp_path / "nowhere")}, 3)


def test_a_folder_without_weights_is_named(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(PenumbraError, match=r"no CLIP as transformers .*save_pretrained"):
        classifier(tmp_path, CLASSES, "{}", CPU)


@pytest.mark.parametrize(
    ("prompt", "message"), [("a photo", r"no \{\} for a class"), ("{}" * 20, "CLIP's 40 tokens")]
)
def test_prompts_that_cannot_be_used_are_refused(folder, prompt, message):
    with pytest.raises(PenumbraError, match=message):
        classifier(folder, CLASSES, prompt, CPU)


def test_images_of_another_normalisation_are_brought_to_clips_own(folder):
    state = classifier(folder, CLASSES, "a photo of a {}", CPU).state_dict()
    checkpoint = {f"model.{name}": tensor for name, tensor in state.items()}
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, SIZE, SIZE)).astype(np.uint8)
    other = {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.125]}
    found = []
    for given in (NORMALISATION, other):
        network = {"network": "clip", "folder": str(folder), "normalisation": given}
        model = restore(network, len(CLASSES), checkpoint)
        found.append(Reader(model, given, None, 5, CPU).outputs(pixels)["features"])
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-5)


def test_a_folder_that_does_not_say_its_normalisation_is_named(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    network = {"network": "clip", "folder": str(tmp_path), "normalisation": NORMALISATION}
    for held, message in ((None, "FileNotFoundError"), ("{}", "KeyError: 'image_mean'")):
        if held:
            (tmp_path / "preprocessor_config.json").write_text(held)
        with pytest.raises(PenumbraError, match=f"does not say image_mean .*{message}"):
            build(network, 3)
