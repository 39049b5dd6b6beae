"""A scorer applied to images through a network, whatever it reads: as the workflow's stages do."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from penumbra.detector.file import FITTED, Description
from penumbra.evaluation.probing import autograd, probe_of, scored
from penumbra.evaluation.scoring import head_arrays, one_per_image
from penumbra.networks.inference import Reader, perturbation, restore
from penumbra.plugins import load

NETWORK = ("maps", "gradients")  # needs of a scorer that is given the network itself


def reader_of(
    description: Description,
    tensors: Mapping[str, Tensor],
    device: torch.device,
    batch_size: int,
) -> Reader:
    """The detector's network, with the universal map where it has one."""
    network = restore(description.backbone, len(tensors["model.fc.weight"]), dict(tensors))
    return Reader(
        network, description.normalisation, perturbation(dict(tensors)), batch_size, device,
        channels_last=description.channels_last,
        lowered=description.precision == "bfloat16",
    )  # fmt: skip


def fitted_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the scorer was fitted to, by the names of its fit()."""
    given = tensors.items()
    return {name.removeprefix(FITTED): t for name, t in given if name.startswith(FITTED)}


class Scoring:
    """Scores of uint8 images (N, 3, H, W) by one scorer under one network.

    `scorer` is the `Description`'s; `tensors` are the detector's. `fixed` is what a scorer of
    arrays reads beside those of images: the last layer where it wants it, and its fit.
    """

    def __init__(self, reader: Reader, scorer: Mapping[str, Any], tensors: Mapping[str, Tensor]):
        self.reader, self.needs, self.block = reader, scorer["needs"], scorer["block"]
        self.options = scorer["options"]
        self._score = load("scores", scorer["module"]).score
        self._fitted = fitted_of(tensors)
        stored = {k: v.numpy() for k, v in tensors.items() if k.startswith("model.fc.")}
        fixed = head_arrays(stored) if "head" in self.needs else {}
        self.fixed = fixed | {name: tensor.numpy() for name, tensor in self._fitted.items()}

    @property
    def is_of_network(self) -> bool:
        """Whether the scorer is given the network itself, and no arrays."""
        return not set(NETWORK).isdisjoint(self.needs)

    def __call__(self, pixels: np.ndarray, what: str = "images") -> np.ndarray:
        """Scores (N,) float64, larger is more ID; `what` the images are called in errors.

        Raises:
            PenumbraError: the scorer gave no real number for each, or NaN, or what it refuses.
        """
        if self.is_of_network:
            score = partial(self._score, probe_of(self.reader, self._fitted), **self.options)
            with autograd(self.needs):
                return scored(score, self.reader.batches(pixels), what)
        returned = self._score(self.arrays(pixels) | self.fixed, **self.options)
        return one_per_image(returned, len(pixels), what)

    def arrays(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """What a scorer of arrays reads of images: a block's statistics, or outputs."""
        names = tuple(name for name in self.needs if name != "head")
        if self.block:
            return self.reader.channels(pixels, self.block, names)
        outputs = self.reader.outputs(pixels)
        return {name: outputs[name] for name in names}
