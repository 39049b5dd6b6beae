"""Dream-OOD's latent space: trained on images of classes, it puts each near its word."""

import numpy as np
import pytest
import torch

from penumbra.errors import PenumbraError
from penumbra.images.image_set import ImageSet
from penumbra.networks.encoders import text_latent as encoder
from penumbra.networks.encoding import represented
from penumbra.networks.generative.stable_diffusion import StableDiffusion, read
from penumbra.parts import text_latent
from tests.diffusion import small_stable_diffusion

OPTIONS = {"layers": 18, "width": 4, "mean": [0.5] * 3, "std": [0.5] * 3}
TRAINING = {
    "epochs": 6, "batch_size": 20, "lr": 0.1, "momentum": 0.9, "nesterov": True,
    "weight_decay": 5e-4, "precision": "float32", "schedule": {"kind": "cosine"},
    "augment": {"flip": False, "crop_padding": 0},
}  # fmt: skip
HOW = {"channels_last": False, "compile": False, "graphs": False, "threads": 1}


def test_embeddings_lie_near_their_words(tmp_path):
    state = read(small_stable_diffusion(tmp_path))
    labels = np.repeat([0, 1, 2], 20)
    noise = np.random.default_rng(0).integers(0, 60, (60, 3, 8, 8))
    pixels = (noise + 60 * labels[:, None, None, None]).astype(np.uint8)
    images = ImageSet(pixels, labels, [str(i) for i in range(60)], ["n1", "n2", "n3"])
    words, config = ["cat", "dog", "pig"], {"options": OPTIONS, "training": TRAINING, **HOW}
    used = {"stable_diffusion": state}
    training = text_latent.trainer(images, words, used, config, 0, torch.device("cpu"))
    training.run(None, lambda line: None)
    trained = encoder.of(training.model.state_dict(), OPTIONS)
    made = represented(trained, pixels, images.origins, 25, lowered=False)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, rtol=1e-4)
    anchors = StableDiffusion(state).words(words).numpy()
    assert (
        np.argmax(made @ anchors.T / np.linalg.norm(anchors, axis=1), axis=1) == labels
    ).mean() > 0.9
    with pytest.raises(PenumbraError, match="text_latent: the weights do not fit"):
        encoder.of(training.model.state_dict(), {**OPTIONS, "width": 8})
