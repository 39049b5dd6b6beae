"""Stable Diffusion out of a folder of diffusers', as one checkpoint, and how texts go in."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from penumbra.errors import PenumbraError
from penumbra.networks.generative.stable_diffusion import StableDiffusion, read
from penumbra.networks.loading.diffusers_files import stable_diffusion_files
from penumbra.parts import stable_diffusion
from tests.diffusion import small_stable_diffusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_stable_diffusion(tmp_path_factory.mktemp("diffusion"))


@pytest.fixture(scope="module")
def model(folder):
    return StableDiffusion(stable_diffusion.published(folder, {}, None))


def test_a_checkpoint_gives_the_folders_networks(folder, model):
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    for name, kind in (
        ("unet", UNet2DConditionModel),
        ("vae", AutoencoderKL),
        ("text_encoder", CLIPTextModel),
    ):
        stored = kind.from_pretrained(folder / name).state_dict()
        own = getattr(model, name).state_dict()
        assert own.keys() == stored.keys()
        assert all(torch.equal(own[key], tensor) for key, tensor in stored.items())
    assert (model.width, model.side, model.scale) == (16, 4, 2)
    assert model.decode(torch.zeros(1, 4, 4, 4)).shape == (1, 3, 8, 8)


def test_words_are_means_of_their_tokens(model):
    table = model.text_encoder.get_input_embeddings().weight
    c, a, t = (model.tokenizer.convert_tokens_to_ids(token) for token in ("c", "a", "t</w>"))
    torch.testing.assert_close(model.words(["cat"])[0], table[[c, a, t]].mean(0))
    with pytest.raises(PenumbraError, match="reads no word"):
        model.words([" "])


def test_a_words_own_embedding_in_its_place_changes_nothing(model):
    """And another one does; prompts may have their places at different tokens."""
    texts = ["an image of the {} there", "the {}"]
    with_words = model.contexts([text.replace("{}", "b") for text in texts])
    own = model.words(["b", "b"])
    torch.testing.assert_close(model.contexts_with(texts, own), with_words)
    assert not torch.allclose(model.contexts_with(texts, -own), with_words)
    torch.testing.assert_close(model.contexts(["the b"]), with_words[1:])  # no hook stays behind
    with pytest.raises(PenumbraError, match=r"has no \{\} for a class"):
        model.contexts_with(["the"], own[:1])
    with pytest.raises(PenumbraError, match="has 52 tokens, and the text encoder reads 48"):
        model.contexts(["a" * 50])


@pytest.mark.parametrize("lost", ["unet/config.json", "tokenizer", "vae"])
def test_an_incomplete_folder_is_refused(folder, tmp_path, lost):
    shutil.copytree(folder, tmp_path / "copy")
    place = tmp_path / "copy" / lost
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()
    with pytest.raises(PenumbraError, match=f"no Stable Diffusion.*missing: .*{lost}"):
        read(tmp_path / "copy")


def test_a_damaged_file_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    weights = tmp_path / "copy/unet/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(PenumbraError, match="unet is damaged or does not fit"):
        read(tmp_path / "copy")


def edited(file, **changes):
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def without_a_tensor(file):
    tensors = load_file(file)
    tensors.pop(min(tensors))
    save_file(tensors, file, {"format": "pt"})


UNET, TEXT = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (UNET, without_a_tensor, "unet is damaged .*: its weights lack conv_in.bias"),
        (TEXT, without_a_tensor, "text_encoder is damaged .*: its weights lack embeddings"),
        (TEXT, lambda file: file.write_bytes(b""), "text_encoder is damaged or does not fit"),
        (
            "unet/config.json",
            lambda file: edited(file, sample_size=None),
            "its U-Net's sample_size is None",
        ),
        (
            "scheduler/scheduler_config.json",
            lambda file: file.write_text("{}"),
            "scheduler_config.json says no beta_start, beta_end, beta_schedule",
        ),
        (
            "scheduler/scheduler_config.json",
            lambda file: file.write_text("{no"),
            "scheduler_config.json is no JSON",
        ),
        (
            "tokenizer/tokenizer.json",
            lambda file: file.write_text("{no"),
            "its tokenizer is damaged",
        ),
    ],
)
def test_what_would_be_drawn_or_assumed_is_refused(folder, tmp_path, name, change, message):
    """Libraries go on without a tensor or a key: with a random one, or a default of theirs."""
    shutil.copytree(folder, tmp_path / "copy")
    change(tmp_path / "copy" / name)
    with pytest.raises(PenumbraError, match=message):
        read(tmp_path / "copy")


def test_a_vocabulary_needs_its_merges(folder, tmp_path):
    """Published folders have both files in place of tokenizer.json."""
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy/tokenizer/tokenizer.json").unlink()
    read(tmp_path / "copy")
    (tmp_path / "copy/tokenizer/merges.txt").unlink()
    with pytest.raises(PenumbraError, match=r"missing: .*merges.txt"):
        read(tmp_path / "copy")


def test_networks_of_other_widths_are_told(model):
    texts = model.text_encoder.config
    texts.hidden_size, texts.vocab_size = 32, 40
    try:
        assert [*model.unfit()] == [
            "its U-Net reads texts of width 16, and its text encoder gives 32",
            "its tokenizer counts 78 tokens, and its text encoder 40",
        ]
    finally:
        texts.hidden_size, texts.vocab_size = 16, 78


def test_every_file_that_is_read_is_listed(folder):
    """They are the inputs of a job: an edit of any of them makes the part anew."""
    (folder / "README.md").write_text("")
    listed = {path.relative_to(folder).as_posix() for path in stable_diffusion_files(folder)}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - listed == {"README.md"}
