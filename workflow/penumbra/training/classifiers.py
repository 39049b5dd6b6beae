"""A classifier's training as a recipe names it: network, what serves images, method, loop."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch

from penumbra.images.augment import Feeder
from penumbra.images.classes import in_words
from penumbra.images.feeding import Feeding, Source
from penumbra.images.image_set import ImageSet
from penumbra.images.originals import Originals
from penumbra.images.unpacked import Unpacked
from penumbra.networks.base import Classifier
from penumbra.networks.inference import build, laid_out
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.training.loop import Trainer
from penumbra.training.method import Setting


def trainer(
    config: Mapping[str, Any],
    images: ImageSet | Originals | Unpacked,
    outliers: np.ndarray | Source | None,
    seed: int,
    device: torch.device,
) -> Trainer:
    """What trains a network on `images`, and holds `outliers` uint8 (M, 3, H, W) against them.

    Sets of pixels lie on the device, all others stream. `config` has `backbone`, `recipe`,
    `normalisation`, how to compute (`channels_last`, `compile`, `graphs`, `threads`), and where a
    method reads the names of classes, their `words`.
    """
    torch.manual_seed(derive(seed, "init"))
    network = build(config["backbone"], len(images.classes))
    return trainer_of(network, config, images, outliers, seed, device)


def trainer_of(
    network: Classifier,
    config: Mapping[str, Any],
    images: ImageSet | Originals | Unpacked,
    outliers: np.ndarray | Source | None,
    seed: int,
    device: torch.device,
) -> Trainer:
    """The same of a network as it is; `config` needs no `backbone`."""
    recipe = config["recipe"]
    model = laid_out(network, config["channels_last"], device)
    mean, std = (
        torch.tensor(config["normalisation"][key], device=device).reshape(1, -1, 1, 1)
        for key in ("mean", "std")
    )
    how = {"normalisation": config["normalisation"], "channels_last": config["channels_last"]}
    how |= {"device": device, **recipe["augment"]}
    workers = ThreadPoolExecutor(config["threads"])
    feeder = partial(_feeder, workers=workers, how=how)
    against = None if outliers is None else feeder(_unlabelled(outliers))
    setting = Setting(
        model, images.shape, mean, std, seed, device, against,
        lowered=recipe["precision"] == "bfloat16",
        graphs=config["graphs"] and device.type == "cuda",
        classes=tuple(in_words(images.classes, config.get("words", {}))),
        folder=config.get("backbone", {}).get("folder", ""), epochs=recipe["epochs"],
    )  # fmt: skip
    method = load("training.methods", recipe["method"]).build(recipe["options"], setting)
    return Trainer(model, feeder(images), method, recipe, seed, config["compile"])


def _unlabelled(outliers: np.ndarray | Source) -> ImageSet | Source:
    if isinstance(outliers, np.ndarray):
        return ImageSet(outliers, np.zeros(len(outliers), np.int64), [], [])
    return outliers


def _feeder(images: ImageSet | Source, workers: ThreadPoolExecutor, how: dict[str, Any]) -> Feeding:
    if isinstance(images, ImageSet):
        return Feeder(images.pixels, images.labels, **how)
    # By name, as the spec of a job on a listed set has it: an edit there reruns no other.
    return load("training", "streaming").Streaming(images, workers=workers, **how)
