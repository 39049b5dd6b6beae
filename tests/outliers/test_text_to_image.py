"""Images of texts: those of diffusers' own pipeline, each by its own seed alone."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.networks.generative.stable_diffusion import StableDiffusion, read
from penumbra.options.parts.stable_diffusion import Sampling
from penumbra.outliers.generators import to_uint8
from penumbra.outliers.text_to_image import images
from penumbra.seeds import derive
from tests.diffusion import small_stable_diffusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small_stable_diffusion(tmp_path_factory.mktemp("diffusion"))


@pytest.fixture(scope="module")
def model(folder):
    return StableDiffusion(read(folder))


def test_they_are_those_of_the_pipeline(folder, model):
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    pipeline = StableDiffusionPipeline(
        model.vae, model.text_encoder, model.tokenizer, model.unet,
        PNDMScheduler.from_pretrained(folder / "scheduler"),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    draw = torch.Generator().manual_seed(derive(5, "latents"))
    made = pipeline(
        "a photo of a b",
        latents=torch.randn(1, 4, 4, 4, generator=draw),
        num_inference_steps=6,
        guidance_scale=3.0,
        output_type="pt",
    ).images
    how = Sampling(steps=6, guidance=3.0, size=None)
    own = images(model, model.contexts(["a photo of a b"]), [5], how)
    assert np.abs(own.astype(int) - to_uint8(made * 2 - 1).numpy()).max() <= 1
    assert own.std() > 1


def test_an_image_depends_on_its_own_seed_alone(model):
    how = Sampling(steps=4, size=12)
    contexts = model.contexts(["a", "b", "c", "d"])
    whole = images(model, contexts, [0, 1, 2, 3], how)
    assert whole.shape == (4, 3, 12, 12)
    some = images(model, contexts[1:3], [1, 2], how)
    assert np.abs(some.astype(int) - whole[1:3]).max() <= 1
    other = images(model, contexts[1:2], [9], how)
    assert np.abs(other.astype(int) - whole[1:2]).max() > 1


def test_what_is_not_finite_is_refused(model):
    contexts = model.contexts(["a", "b"])
    contexts[1] = torch.nan
    with pytest.raises(PenumbraError, match="latents of 1 of 2 images are not finite"):
        images(model, contexts, [0, 1], Sampling(steps=2))
