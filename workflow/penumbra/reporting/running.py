"""A trained model run on some images: what figures that show its maps have in common."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from penumbra.images.image_set import evenly, pixels_at, row_group_sizes
from penumbra.networks.inference import Reader, perturbation, restore
from penumbra.store.artifacts import read_checkpoint, read_parquet


def some(file: Path, count: int) -> np.ndarray:
    """`count` images, evenly spaced in an image set: uint8 (count, 3, H, W)."""
    return pixels_at(file, evenly(sum(row_group_sizes(file)), count))


def reader(checkpoint_file: Path, network: dict[str, Any]) -> Reader:
    """The model of a checkpoint on the CPU, with its universal map if it has one."""
    checkpoint = read_checkpoint(checkpoint_file)
    model = restore(network["backbone"], len(checkpoint["model.fc.weight"]), checkpoint)
    cpu = torch.device("cpu")
    return Reader(model, network["normalisation"], perturbation(checkpoint), 64, cpu)


def chosen_block(blocks: Path) -> str:
    """The block that the norm ratio chose."""
    return next(row["block"] for row in read_parquet(blocks).to_pylist() if row["chosen"])
