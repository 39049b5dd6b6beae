"""A ResNet whose embeddings lie among token embeddings of words (Dream-OOD, Du et al. 2023).

Section 3.1: an image's embedding is compared by cosine with the token embedding of each class's
name, and trained by cross-entropy, so that embeddings can be read as words.
"""

from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from penumbra.networks.backbones import resnet
from penumbra.networks.base import Classifier
from penumbra.networks.loading.states import State, adopt, shape
from penumbra.options.parts.text_latent import Options

OWNER = "text_latent"
ANCHORS = "fc.anchors"


class AnchorHead(nn.Module):
    """Logits cos(Wz + b, a_c) / T of features z (n, F), with fixed anchors a (C, D)."""

    anchors: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, features: int, anchors: Tensor, options: Options):
        super().__init__()
        self.projection = nn.Linear(features, anchors.shape[1])
        self.register_buffer("anchors", anchors)
        self.register_buffer("mean", torch.tensor(options.mean))
        self.register_buffer("std", torch.tensor(options.std))
        self.temperature = options.temperature

    def forward(self, z: Tensor) -> Tensor:
        """(n, C), in [-1/T, 1/T]."""
        cosines = F.normalize(self.projection(z), dim=1) @ F.normalize(self.anchors, dim=1).T
        return cosines / self.temperature


def build(anchors: Tensor, options: Options) -> Classifier:
    """A network with initial weights for classes with anchors (C, D)."""
    classes = len(anchors)
    network = resnet.build(classes, options.layers, options.width, options.stem)
    features = network.get_parameter("fc.weight").shape[1]
    network.fc = AnchorHead(features, anchors, options)
    return network


class TextLatent(nn.Module):
    """A trained network that gives images' unit-norm embeddings."""

    def __init__(self, network: Classifier):
        super().__init__()
        self.network = network

    @classmethod
    def from_state(cls, state: State, options: Options) -> Self:
        """The network of a checkpoint, in eval mode.

        Raises:
            PenumbraError: the checkpoint does not fit the options.
        """
        network = build(torch.empty(shape(state, ANCHORS, OWNER)), options)
        adopt(network, state, OWNER)
        return cls(network).eval()

    @property
    def head(self) -> AnchorHead:
        """The last layer, with the anchors."""
        assert isinstance(self.network.fc, AnchorHead)
        return self.network.fc

    def inputs(self, pixels: Tensor) -> Tensor:
        """uint8 (n, 3, H, W) on the device -> normalised float32."""
        mean, std = (value.reshape(1, -1, 1, 1) for value in (self.head.mean, self.head.std))
        return (pixels.float() / 255 - mean) / std

    def represent(self, x: Tensor) -> Tensor:
        """Unit-norm embeddings (n, D) of normalised images (n, 3, H, W)."""
        return F.normalize(self.head.projection(self.network.features(x)).float(), dim=1)
