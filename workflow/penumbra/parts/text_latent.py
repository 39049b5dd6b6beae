"""Dream-OOD's latent space of images and words, trained here on images of the classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from penumbra.images.image_set import ImageSet
from penumbra.images.originals import Originals
from penumbra.images.unpacked import Unpacked
from penumbra.networks.generative import text_latent
from penumbra.networks.generative.stable_diffusion import StableDiffusion
from penumbra.networks.loading.states import State
from penumbra.options.parts.text_latent import Options
from penumbra.seeds import derive
from penumbra.training.classifiers import trainer_of
from penumbra.training.loop import Trainer


def trainer(
    images: ImageSet | Originals | Unpacked,
    words: Sequence[str],
    used: Mapping[str, State],
    config: Mapping[str, Any],
    seed: int,
    device: torch.device,
) -> Trainer:
    """What trains the network on images whose classes are called `words`, in their order.

    `used` has the checkpoint of `stable_diffusion`, in whose table of tokens the words are.
    `config` has the part's `options` and `training`, and how to compute, as `trainer_of` reads it.
    """
    options = Options.of(config["options"])
    anchors = StableDiffusion(used["stable_diffusion"]).words(words)
    torch.manual_seed(derive(seed, "init"))
    network = text_latent.build(anchors, options)
    recipe = {**config["training"], "name": "text_latent", "method": "standard", "options": {}}
    normalisation = {"mean": list(options.mean), "std": list(options.std)}
    how = {**config, "recipe": recipe, "normalisation": normalisation}
    return trainer_of(network, how, images, None, seed, device)
