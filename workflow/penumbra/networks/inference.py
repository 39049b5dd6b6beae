"""A trained classifier applied to image sets: inputs, outputs, statistics of feature maps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from penumbra.errors import PenumbraError
from penumbra.networks.base import Classifier
from penumbra.plugins import load

COLOURS = 3
BLOCK = 16  # channels that an AVX-512 register holds
STATISTICS = ("l2", "max", "mean", "var", "var_unbiased", "min")


def build(backbone: dict[str, Any], classes: int) -> Classifier:
    """The network that a backbone's config names, randomly initialised.

    `head` in it, of the recipe, stands in place of the linear last layer: {similarity: cosine}.
    """
    options = {key: value for key, value in backbone.items() if key not in ("network", "head")}
    model = load("networks.backbones", backbone["network"]).build(classes, **options)
    if "head" in backbone:
        # By name, as its spec lists it: an edit there reruns no network with a linear last layer.
        head = load("networks.layers", "heads").build
        model.fc = head(model.fc.weight.shape[1], classes, **backbone["head"])
    return model


def laid_out(model: nn.Module, channels_last: bool, device: torch.device) -> Any:
    """The network on a device, its weights in the order that is asked for.

    Raises:
        PenumbraError: oneDNN's kernels for CPUs with AVX-512 would reach beyond the maps of these
            channels: they end with a segmentation fault, if at all.
    """
    odd = {
        channels
        for conv in model.modules()
        if isinstance(conv, nn.Conv2d)
        for channels in (conv.in_channels, conv.out_channels)
        if channels != COLOURS and channels % BLOCK
    }
    if channels_last and device.type == "cpu" and odd:
        raise PenumbraError(
            f"compute.channels_last: a convolution has {min(odd)} channels; on CPUs only multiples "
            f"of {BLOCK} work so: set channels_last: false, or make the network wider"
        )
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return model.to(device).to(memory_format=layout)


def statistics(maps: Tensor, names: tuple[str, ...] = STATISTICS) -> dict[str, Tensor]:
    """Per-channel numbers of ReLU(maps): maps (N, C, H, W) -> each (N, C).

    l2 is the spatial L2 norm; var is the biased variance over positions, var_unbiased the unbiased
    one, 0 for a single position. FN and CCFN need no more of a map than these (Yu et al. 2023; UAT
    paper, Eq. 4, 5 and Table 13).
    """
    active = maps.relu().flatten(2)
    every = {
        "l2": lambda: torch.linalg.vector_norm(active, dim=2),
        "max": lambda: active.amax(2),
        "mean": lambda: active.mean(2),
        "var": lambda: active.var(2, correction=0),
        "var_unbiased": lambda: active.var(2, correction=min(1, active.shape[2] - 1)),
        "min": lambda: active.amin(2),
    }
    return {name: every[name]() for name in names}


class Reader:
    """Feeds uint8 images to a classifier in eval mode, with or without a universal map.

    What is read stays on the device until the last batch, so that none waits for the one before.
    `lowered` runs the trunk in bfloat16; features, logits and statistics are float32 all the same.
    """

    def __init__(
        self,
        model: Classifier,
        normalisation: dict[str, list[float]],
        perturb: tuple[str, Tensor] | None,
        batch_size: int,
        device: torch.device,
        channels_last: bool = False,
        lowered: bool = False,
    ):
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = laid_out(model, channels_last, device).eval()
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=lowered)
        shape = (1, 3, 1, 1)
        self.mean = torch.tensor(normalisation["mean"], device=device).reshape(shape)
        self.std = torch.tensor(normalisation["std"], device=device).reshape(shape)
        self.perturb = perturb and (perturb[0], perturb[1].to(device))
        self.batch_size = batch_size
        self.device = device

    def pixel_batches(self, pixels: np.ndarray) -> Iterator[Tensor]:
        """uint8 (n ≤ batch size, C, H, W) on the device."""
        yield from torch.from_numpy(pixels).to(self.device).split(self.batch_size)

    def normalise(self, pixels: Tensor) -> Tensor:
        """uint8 (n, C, H, W) -> (u / 255 - mean) / std in the dtype of mean."""
        x = pixels.to(self.mean.dtype, memory_format=self.layout)
        return x.div_(255).sub_(self.mean).div_(self.std)

    def batches(self, pixels: np.ndarray) -> Iterator[Tensor]:
        """Normalised inputs (n ≤ batch size, C, H, W) on the device."""
        yield from map(self.normalise, self.pixel_batches(pixels))

    @torch.inference_mode()
    def outputs(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Logits (N, C) and penultimate features (N, D)."""
        features, logits = [], []
        for x in self.batches(pixels):
            with self.autocast:
                z = self.model.features(x, self.perturb)
            features.append(z.to(x.dtype))
            logits.append(self.model.fc(features[-1]))
        return {"logits": _gathered(logits), "features": _gathered(features)}

    @torch.inference_mode()
    def channels(
        self, pixels: np.ndarray, block: str, names: tuple[str, ...]
    ) -> dict[str, np.ndarray]:
        """Statistics (N, C) of one block's map; the network runs no further than the block."""
        batches: dict[str, list[Tensor]] = {name: [] for name in names}
        for x in self.batches(pixels):
            with self.autocast:
                maps = self.model.maps(x, (block,), self.perturb)[block]
            for name, value in statistics(maps.to(x.dtype), names).items():
                batches[name].append(value)
        return {name: _gathered(values) for name, values in batches.items()}


def _gathered(batches: list[Tensor]) -> np.ndarray:
    return torch.cat(batches).cpu().numpy()


def perturbation(checkpoint: dict[str, Tensor]) -> tuple[str, Tensor] | None:
    """The universal map in a checkpoint and the step that it is added to.

    A checkpoint names the map `map@<step>`; one trained without a map has none.
    """
    for name, tensor in checkpoint.items():
        if name.startswith("map@"):
            return name.removeprefix("map@"), tensor
    return None


def weights(checkpoint: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's own tensors in a checkpoint."""
    return {
        name.removeprefix("model."): tensor
        for name, tensor in checkpoint.items()
        if name.startswith("model.")
    }


def restore(backbone: dict[str, Any], classes: int, checkpoint: dict[str, Tensor]) -> Classifier:
    """The network with the weights of a checkpoint."""
    model = build(backbone, classes)
    model.load_state_dict(weights(checkpoint))
    return model
