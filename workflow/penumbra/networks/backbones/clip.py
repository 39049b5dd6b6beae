"""CLIP (Radford et al. 2021) as a classifier whose logits are cosines of images and class texts.

Softmax of these logits is MCM's (Ming et al. 2022, Eq. 1 and 2, at temperature 1).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPVisionModel

from penumbra.networks.base import Classifier
from penumbra.networks.loading.clip_files import pretrained


class Clip(Classifier):
    """CLIP's image encoder on images of any size, and one unit-norm text embedding a class.

    The tensors are transformers': `vision_model.…` and `visual_projection.weight`, then `fc.weight`
    (C, D). Images come normalised by CLIP's own mean and std, which the benchmark's config names.
    `config` is transformers' CLIPConfig.
    """

    blocks = ()
    positions = {}
    levels = ()
    last_weights = ()

    def __init__(self, classes: int, config: Any):
        super().__init__()
        vision, width = config.vision_config, config.projection_dim
        self.size: int = vision.image_size
        self.vision_model = CLIPVisionModel(vision)
        self.visual_projection = nn.Linear(vision.hidden_size, width, bias=False)
        self.fc = nn.Linear(width, classes, bias=False)

    def _resize(self, x: Tensor) -> Tensor:
        """To the encoder's side (S, S), bicubic as in CLIP's own preparation of images."""
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


def build(classes: int, folder: str) -> Clip:
    """The network that the folder's config.json describes, randomly initialised.

    Raises:
        PenumbraError: the folder holds no CLIP.
    """
    (config,) = pretrained(Path(folder), CLIPConfig)
    return Clip(classes, config)
