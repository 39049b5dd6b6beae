"""A classifier of this workflow as the recogniser of categories, where there is no CLIP."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from penumbra.networks.inference import Reader, restore


def probabilities(
    pixels: np.ndarray, classes: Sequence[str], recogniser: Path | None, config: dict[str, Any]
) -> tuple[np.ndarray, list[str]]:
    """Softmax (N, C) of images uint8 (N, 3, H, W), and the names of the C classes.

    `recogniser` is the classifier's checkpoint; its classes are those that it was trained on.
    """
    assert recogniser is not None
    checkpoint = load_file(recogniser)
    model = restore(config["network"], len(checkpoint["model.fc.weight"]), checkpoint)
    device = torch.device(config["device"])
    reader = Reader(model, config["normalisation"], None, config["batch_size"], device)
    logits = torch.from_numpy(reader.outputs(pixels)["logits"])
    return logits.softmax(1).numpy(), list(classes)
