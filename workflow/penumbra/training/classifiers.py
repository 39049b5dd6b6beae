"""A classifier's training as a recipe names it: network, images on the device, method, loop."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from penumbra.images.augment import Feeder
from penumbra.images.image_set import ImageSet
from penumbra.networks.inference import build, laid_out
from penumbra.plugins import load
from penumbra.seeds import derive
from penumbra.training.loop import Trainer
from penumbra.training.method import Setting


def trainer(
    config: Mapping[str, Any],
    images: ImageSet,
    outliers: np.ndarray | None,
    seed: int,
    device: torch.device,
) -> Trainer:
    """What trains a network on `images`, and holds `outliers` uint8 (M, 3, H, W) against them.

    `config` has `backbone`, `recipe`, `normalisation`, and how to compute (`channels_last`,
    `compile`, `graphs`).
    """
    recipe = config["recipe"]
    torch.manual_seed(derive(seed, "init"))
    network = build(config["backbone"], len(images.classes))
    model = laid_out(network, config["channels_last"], device)
    mean, std = (
        torch.tensor(config["normalisation"][key], device=device).reshape(1, -1, 1, 1)
        for key in ("mean", "std")
    )
    how = {"normalisation": config["normalisation"], "channels_last": config["channels_last"]}
    feeder = partial(Feeder, device=device, **how, **recipe["augment"])
    against = None
    if outliers is not None:
        against = feeder(pixels=outliers, labels=np.zeros(len(outliers), np.int64))
    setting = Setting(
        model, images.pixels.shape[1:], mean, std, seed, device, against,
        lowered=recipe["precision"] == "bfloat16",
        graphs=config["graphs"] and device.type == "cuda",
        classes=tuple(images.classes), folder=config["backbone"].get("folder", ""),
        epochs=recipe["epochs"],
    )  # fmt: skip
    method = load("training.methods", recipe["method"]).build(recipe["options"], setting)
    own = feeder(pixels=images.pixels, labels=images.labels)
    return Trainer(model, own, method, recipe, seed, config["compile"])
