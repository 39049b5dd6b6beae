"""CLIP (Radford et al. 2021) as a classifier whose logits are cosines of images and class texts.

Softmax of these logits is MCM's (Ming et al. 2022, Eq. 1 and 2, at temperature 1).
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPVisionModel

from penumbra.networks.base import Classifier
from penumbra.networks.loading.clip_files import normalised, pretrained

Normalised = tuple[Sequence[float], Sequence[float]]  # mean and deviation of three colours
PLAIN: Normalised = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Clip(Classifier):
    """CLIP's image encoder on images of any size, and one unit-norm text embedding a class.

    The tensors are transformers': `vision_model.…` and `visual_projection.weight`, then `fc.weight`
    (C, D). Images come as `given`, and the encoder sees them as `own` normalisation has it; each is
    a mean and a deviation of three colours. `config` is transformers' CLIPConfig.
    """

    rescale: Tensor
    offset: Tensor

    blocks = ()
    positions = {}
    levels = ()
    last_weights = ()

    def __init__(
        self, classes: int, config: Any, given: Normalised = PLAIN, own: Normalised = PLAIN
    ):
        super().__init__()
        (mean, std), (own_mean, own_std) = torch.tensor(given), torch.tensor(own)
        for name, value in (("rescale", std / own_std), ("offset", (mean - own_mean) / own_std)):
            self.register_buffer(name, value.reshape(1, 3, 1, 1), persistent=False)
        vision, width = config.vision_config, config.projection_dim
        self.size: int = vision.image_size
        self.vision_model = CLIPVisionModel(vision)
        self.visual_projection = nn.Linear(vision.hidden_size, width, bias=False)
        self.fc = nn.Linear(width, classes, bias=False)

    def take_up(self, clip: Any) -> None:
        """Copy the image encoder of a CLIPModel, all of it; the texts' embeddings stay."""
        state = clip.state_dict()
        own = {name: state[name] for name in self.state_dict() if name in state}
        self.load_state_dict(own | {"fc.weight": self.fc.weight})

    def _resize(self, x: Tensor) -> Tensor:
        """Normalised as CLIP's are; to its side (S, S), bicubic as in its own preparation."""
        x = x * self.rescale + self.offset
        if x.shape[2:] == (self.size, self.size):
            return x
        return F.interpolate(x, (self.size, self.size), mode="bicubic", antialias=True)

    def _embed(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> unit-norm image embeddings (N, D)."""
        pooled = self.vision_model(pixel_values=x).pooler_output
        return F.normalize(self.visual_projection(pooled), dim=1)

    def places(self) -> list[tuple[str, Callable[[Tensor], Tensor]]]:
        """Resizing, encoder."""
        return [("resize", self._resize), ("embed", self._embed)]


def build(classes: int, folder: str, normalisation: dict[str, Any] | None = None) -> Clip:
    """The network that the folder's config.json describes, randomly initialised.

    `normalisation` is that of its images, the benchmark's; without it they come as CLIP's own.

    Raises:
        PenumbraError: the folder holds no CLIP, or does not say how its images are normalised.
    """
    (config,) = pretrained(Path(folder), CLIPConfig)
    if normalisation is None:
        return Clip(classes, config)
    given = (normalisation["mean"], normalisation["std"])
    return Clip(classes, config, given, normalised(Path(folder)))
